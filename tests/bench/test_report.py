"""The lines below a table of peers."""

from scratchae.bench.report import headlines


def peer(title, ratio):
    return {"title": title, "ratio": ratio, "ratio_quartiles": [ratio - 0.1, ratio + 0.1]}


def test_the_fastest_peer_is_none_of_ours():
    peers = {"scratchae": peer("ours", 1.0), "scratchae-compiled": peer("compiled", 0.8), "torch": peer("eager", 1.5)}
    found = headlines(peers | {"jax": peer("JAX", 1.2)})
    assert found == {
        "PyTorch eager": "1.50 (1.40 to 1.60)",
        "fastest peer": "1.20 (1.10 to 1.30), JAX; / ours with compiled kernels: 1.50",
    }


def test_without_compiled_kernels_or_without_peers():
    assert headlines({"scratchae": peer("ours", 1.0)}) == {}
    assert headlines({"scratchae": peer("ours", 1.0), "jax": peer("JAX", 0.7)}) == {
        "fastest peer": "0.70 (0.60 to 0.80), JAX"
    }
