"""What a step has to do, counted by hand and by the table."""

import numpy as np

from scratchae import MSE, Adam, Autoencoder, BatchNorm, Dense, MaskingNoise, ReLU, Sequential, Sigmoid
from scratchae.bench import comparison, report
from scratchae.bench.work import runs, sizes, through_layers, work
from scratchae.presets import PRESETS, find_preset


def test_the_matrix_products_of_convolutions_are_counted():
    model, examples = comparison.model_of(find_preset("conv")), np.zeros((10, 28, 28, 1), np.float32)
    products = [  # pixels that the kernel is laid on, its numbers, and how many of forward, dW and dx there are
        *((14 * 14, 3 * 3 * 1 * 16, 2), (7 * 7, 3 * 3 * 16 * 32, 3), (1, 7 * 7 * 32 * 64, 3)),
        *((1, 7 * 7 * 64 * 32, 3), (7 * 7, 3 * 3 * 32 * 16, 3), (14 * 14, 3 * 3 * 16 * 1, 3)),
    ]
    assert work(model, Adam(), examples, 10).gemm_flops == sum(2 * 10 * a * b * c for a, b, c in products)
    assert report.net(sizes(model, examples)) == "28×28×1-14×14×16-7×7×32-1×1×64-7×7×32-14×14×16-28×28×1"


def test_both_heads_of_a_vae_are_counted_and_its_code_is_named_once():
    model, examples = comparison.model_of(find_preset("vae-400")), np.zeros((10, 784), np.float32)
    products = 2 * 784 * 400 + 2 * 3 * 400 * 20 + 3 * 20 * 400 + 3 * 400 * 784
    assert work(model, Adam(), examples, 10).gemm_flops == 2 * 10 * products
    assert report.net(sizes(model, examples)) == "784-400-20-400-784"


def small():
    """A net with noise before the first parameters, and a layer that looks at the batch."""
    encoder = Sequential(MaskingNoise(0.5), Dense(6, 4), BatchNorm(4), ReLU())
    return Autoencoder(encoder, Sequential(Dense(4, 6), Sigmoid()), loss=MSE())


def test_a_step_is_the_sum_of_its_layers_and_the_update():
    model, N = small(), 10
    examples = np.random.default_rng(0).random((20, 6), dtype=np.float32)
    found = work(model, Adam(), examples, N)
    dense = 2 * N * 6 * 4
    forward = 2 * N * 6 + (dense + 4 * N) + 7 * 4 * N + 4 * N + (dense + 6 * N) + 4 * 6 * N
    # nothing before the first Dense
    backward = 3 * 6 * N + (2 * dense + 6 * N) + 2 * 4 * N + 7 * 4 * N + (dense + 4 * N)
    assert found.gemm_flops == 5 * dense
    assert found.flops == forward + backward + 12 * len(model.parameters)
    twice = work(model, Adam(), examples, 2 * N)
    assert twice.gemm_flops == 2 * found.gemm_flops
    # the update's seven numbers for each of θ, and each parameter read forward, read and its gradient written backward
    fixed = 4 * (7 * len(model.parameters) + 3 * model.parameter_count())
    assert twice.bytes - fixed == 2 * (found.bytes - fixed)


def test_the_first_layer_with_parameters_has_no_dx_and_what_is_before_it_no_backward():
    found = {run.name: run for run in runs(small(), np.zeros((4, 6), np.float32), 3)}
    assert [name for name, run in found.items() if run.first] == ["encoder.1"]
    assert [name for name, run in found.items() if run.before] == ["encoder.0"]
    assert found["encoder.0"].flops()[1] == 0 == found["encoder.0"].traffic()[1]
    assert found["encoder.1"].x_shape == (3, 6) and found["encoder.1"].y_shape == (3, 4)


def test_counting_leaves_the_model_as_it_was():
    model = small()
    runs(model, np.zeros((4, 6), np.float32), 3)
    assert not any("forward" in vars(layer) for _, layer in model.leaves())


def test_a_step_that_is_no_run_through_layers_is_not_counted():
    preset = find_preset("rbm")
    model = comparison.model_of(preset)
    assert not through_layers(model) and sizes(model, np.zeros((4, 784), np.float32)) == []
    assert work(model, preset.optimizer(0.1, 100), np.zeros((4, 784), np.float32), 4) is None


def test_every_preset_is_counted_or_said_not_to_be():
    for preset in PRESETS.values():
        model = comparison.model_of(preset)
        width = (preset.shape[0] + preset.labels,) if preset.labels else preset.shape
        if preset.synthetic is not None:
            width = preset.synthetic(np.random.default_rng(0), 3).shape[1:]
        found = work(model, preset.optimizer(0.1, 100), np.full((4, *width), 0.5, np.float32), 4)
        assert (found is not None) == through_layers(model), preset.name
