"""scratchae: autoencoders from scratch, in NumPy, without autograd; the same code on a GPU through CuPy.

Reading order of the source: layers/dense.py, layers/activations.py, layers/patches.py and layers/convolution.py,
losses.py, layers/layer.py, models/autoencoder.py, models/model.py, optimizers/descent.py, training/fit.py,
study/gradcheck.py; then models/parameters.py (flat parameters), models/parallel.py and backend/ (what makes it fast).
"""

import importlib

__version__ = "0.1.0"

# Where each name lives. It is imported when it is first used: a program waits only for what it needs, and the command can
# make settings that NumPy reads when it is loaded (environment.py). __init__.pyi says the same to editors and type checkers
_HOMES = {
    "backend": "array_module threads",
    "backend.kernels.host": "compile_kernels",
    "data": "Dataset Examples load_data load_examples padded read_idx",
    "errors": "ScratchaeError",
    "layers": "GRU RNN Attention AvgPool2d BatchNorm Codebook Conv2d ConvTranspose2d Dense Dropout Flatten GaussianNoise Identity KSparse Layer "
    "LeakyReLU MaskingNoise MaxPool2d ReLU Reshape SaltAndPepper Sequential Sigmoid Softplus StepDense Tanh UpSample2d",
    "likelihoods": "Gaussian LearnedGaussian",
    "losses": "BCE MSE BCEWithLogits Loss SoftmaxCrossEntropy gaussian_kl",
    "models": "CVAE DBN GAN IWAE PCA RBM VAE VQVAE AdversarialAutoencoder Autoencoder Classifier CodePrior ContractiveAutoencoder "
    "Diffusion MaskedAutoencoder Model SequenceAutoencoder UpDown Warmup with_labels",
    "optimizers": "SGD Adam Cosine Optimizer Parts Step",
    "penalties": "L1 Penalty SparseKL",
    "study": "GradientReport Trace check_gradients trace watch",
    "training": "History evaluate fit load pretrain save",
    "tutorial.notebook": "check",
    "uses.weights": "load_weights",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    """A public name, or a room of the package, such as `scratchae.layers`, imported now."""
    if name in _HOME_OF:
        found = getattr(importlib.import_module(f".{_HOME_OF[name]}", __name__), name)
        globals()[name] = found  # so that the next time Python finds it without asking
        return found
    inside = f"{__name__}.{name}"
    try:
        if not name.startswith("_"):
            return importlib.import_module(inside)
    except ModuleNotFoundError as error:
        if error.name != inside:
            raise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
