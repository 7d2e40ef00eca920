"""The mistakes that are found in one line of a person's code, because one small change there makes the gradient right."""

# each kind of mistake: what is wrong, and what to look at
LINES = {
    "line_sign": (
        "line {line} has a wrong sign: with {new} in place of {part}, it is right",
        "the sign of each term in this line: differentiate the line of `forward` that it belongs to again",
    ),
    "line_factor": (
        "a factor in line {line} is wrong: {part} counts {c} times",
        "the constants in this line and in the line of `forward` that it belongs to: a 2, a count, an average, a strength",
    ),
    "line_extra": (
        "{part} in line {line} does not belong there: without it, it is right",
        "the line of `forward` that it belongs to: does what stands there depend on the tensor in this way?",
    ),
    "line_instead": (
        "line {line} is wrong: with {new} in place of {part}, it is right",
        "the derivative of the line of `forward` that it belongs to: where does each of its parts come from?",
    ),
    "line_lacks_factor": (
        "a factor is missing in line {line}: with {new} in place of {part}, it is right",
        "the chain rule: each function on the way gives one factor, its derivative, at the value that it got in `forward`",
    ),
    "line_lacks_term": (
        "a term is missing in line {line}: with {new} in place of {part}, it is right",
        "every place where `forward` uses the tensor, and every term of the value: each gives a term, and the terms add up",
    ),
    "line_overwrites": (
        "line {line} loses what comes more than once: with {new} in place of {part}, it is right",
        "contributions to the same place are added up: += in place of =, and np.add.at for indices that repeat",
    ),
    "line_adds": (
        "line {line} adds to what is there: with {new} in place of {part}, it is right",
        "what is in the array before this line, and whether it belongs to the gradient",
    ),
    "line_early": (
        "line {line} comes too early: after {new}, it is right",
        "the order of the lines: what does each of them change, and who reads it after that?",
    ),
    "line_outside": (
        "line {line} belongs into the loop of {new}: there, it is right",
        "what has to be done anew each time, such as setting gradients to 0",
    ),
    "line_returns": (
        "line {line} returns inside of the loop: after the loop, it is right",
        "how far the `return` is indented: only the first round of the loop was run",
    ),
    "line_squares": (
        "line {line} has the square of a sum: with {new}, the sum of squares, in place of {part}, it is right",
        "what is squared first and added up then, in the value and in the gradient",
    ),
}
