"""Is a matrix product bound by arithmetic or by memory?

y = x W with x (N, I) and W (I, O), in float32: 4 bytes a number. Each of the N · O results takes I
multiplications and as many additions. If every array crosses the memory bus once, x and W are read and y
is written.

    operations, bytes, intensity = operations / bytes

A machine that does P operations and moves B bytes a second needs at least operations / P and at least
bytes / B seconds: with an intensity below P / B it waits for memory.

Check:  scratchae check 13_roofline
"""


def roofline(N, I, O, P, B):  # noqa: E741
    """(operations, bytes, seconds): the least time by whichever is slower."""
    raise NotImplementedError("count both, then the larger of the two times")
