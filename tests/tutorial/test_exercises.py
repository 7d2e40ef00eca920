"""The exercises: as they stand they are not yet right, their solutions are, and known mistakes are called by name."""

import ast
from pathlib import Path

import numpy as np
import pytest

from scratchae.tutorial import grade
from scratchae.tutorial.answers import AnswerError, equal, gradients
from scratchae.tutorial.chapters import folder

EXERCISES = folder() / "exercises"
FILES = sorted(EXERCISES.glob("[0-9]*.py"))
TO_MEND = [path for path in FILES if "_bug_" in path.name or path.name.endswith("_mistake.py")]


def stems(paths):
    return [path.stem for path in paths]


def run(path, capsys):
    code = grade.main([str(path), "60"])
    return code, capsys.readouterr().out


def test_every_exercise_has_a_solution_and_a_check():
    assert stems(FILES) == stems(sorted((EXERCISES / "solutions").glob("*.py")))
    assert [path for path in FILES if grade.exercise(path) is None] == []
    assert len(FILES) >= 25 and len(TO_MEND) == 7


@pytest.mark.parametrize("path", FILES, ids=stems(FILES))
def test_the_solution_is_right(path, capsys):
    code, text = run(EXERCISES / "solutions" / path.name, capsys)
    assert code == grade.RIGHT, text
    assert text.startswith(f"{path.name}: right\n") and len(text.splitlines()) >= 2


@pytest.mark.parametrize("path", FILES, ids=stems(FILES))
def test_the_exercise_says_what_to_write_or_what_is_wrong(path, capsys):
    code, text = run(path, capsys)
    assert code == grade.WRONG, text
    if path in TO_MEND:
        assert "not right yet" in text and "evidence:" in text
    else:
        place, message = text.splitlines()
        line = int(place.removeprefix(f"{path}:").partition(",")[0])
        assert "NotImplementedError" in path.read_text(encoding="utf-8").splitlines()[line - 1]
        assert message.startswith("    still to be written: ")


@pytest.mark.parametrize("path", FILES, ids=stems(FILES))
def test_the_solution_differs_in_bodies_only(path):
    """The same question, classes, functions and arguments."""

    def skeleton(file):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names = [
            (type(node).__name__, node.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
        ]
        arguments = [ast.unparse(node.args) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        imports = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        return ast.get_docstring(tree), names, arguments, imports

    assert skeleton(path) == skeleton(EXERCISES / "solutions" / path.name)


@pytest.mark.parametrize("path", FILES, ids=stems(FILES))
def test_the_question_says_how_to_check(path):
    question = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert question.endswith(f"Check:  scratchae check {path.stem}")
    assert max(map(len, path.read_text(encoding="utf-8").splitlines())) <= 112


@pytest.mark.parametrize(
    ("name", "kind"),
    [("03_bug_dense", "it is added to instead of set"), ("03_bug_tanh", "wants the output y, and gets x"), ("03_bug_softmax", "a path is missing")],
)  # fmt: skip
def test_the_bugs_are_diagnosed(name, kind, capsys):
    code, text = run(EXERCISES / f"{name}.py", capsys)
    assert code == grade.WRONG and kind in text and "look at:" in text


def test_a_plain_dense_layer_has_no_bug(tmp_path, capsys):
    plain = tmp_path / "03_bug_dense.py"
    plain.write_text((EXERCISES / "solutions" / "02_dense.py").read_text(encoding="utf-8"), encoding="utf-8")
    code, text = run(plain, capsys)
    assert code == grade.RIGHT, text


# One change in a right solution, and what is said of it
MISTAKES = [
    ("00_neuron", "2 * (y - t)", "(y - t)", "the 2 of the square is missing"),
    ("00_neuron", "da = dy * y * (1 - y)", "da = dy", "σ is not differentiated"),
    ("01_parameters", "n * m + m", "n * m", "the biases are missing"),
    ("02_dense", "dy.sum(axis=0)", "dy", "it is not summed over the batch"),
    ("02_dense", "self.x.T @ dy", "dy.T @ self.x", "it is transposed"),
    ("02_sigmoid", "dy * self.y * (1 - self.y)", "self.y * (1 - self.y)", "dy is left out"),
    ("02_mse", "2 * difference / n", "2 * difference", "summed over the batch where the value is averaged"),
    ("02_mse", "(difference**2).sum() / n", "(difference**2).mean()", "it is averaged over the features too"),
    ("02_masked", "(self.x.T @ dy) * self.M", "self.x.T @ dy", "a cut connection has a gradient here"),
    ("02_masked", "dy @ (self.W * self.M).T", "dy @ self.W.T", "dx: the mask is missing"),
    ("02_masked", "dy.sum(axis=0)", "dy", "it is not summed over the batch"),
    ("02_gate", "dy * (self.s + self.a * self.s * (1 - self.s))", "dy * self.s", "the path through σ is missing"),
    ("02_gate", "dy * (self.s + self.a * self.s * (1 - self.s))", "dy * self.a * self.s * (1 - self.s)", "the path of a itself is missing"),
    ("02_gate", "dy * (self.s", "(self.s", "dy is left out"),
    ("02_weighted_mse", "2 * w * difference / n", "2 * w * difference", "summed over the batch where the value is averaged"),
    ("02_weighted_mse", "(w * difference**2).sum() / n", "(w * difference**2).mean()", "it is averaged over the features too"),
    ("02_weighted_mse", "(difference**2).sum(axis=0) / n", "(w * difference**2).sum(axis=0) / n", "its slope has no w"),
    ("02_weighted_mse", "(difference**2).sum(axis=0) / n", "(difference**2).sum() / n", "dw should be an array of shape (3,)"),
    ("02_two_layers", "(p - t) / len(x)", "(p - t)", "the 1/N of the loss is missing"),
    ("02_two_layers", "dz * (1 - z**2)", "dz", "tanh is not differentiated"),
    ("02_two_layers", "dz * (1 - z**2)", "dz * (1 - a**2)", "with its output z, not with a"),
    ("02_two_layers", "dz * (1 - z**2)", "dz * z * (1 - z)", "the slope of σ stands here"),
    ("02_two_layers", "dp @ W2.T", "dp @ (W2 if len(W2) == len(W2.T) else W2.T)", "times W2 transposed"),
    ("02_two_layers", "da.sum(axis=0)", "da.mean(axis=0)", "db1: the sum over the batch is missing"),
    ("02_L_layers", "da = dy * slopes[l]", "da = dy", "no activation is differentiated"),
    ("02_L_layers", "da = dy * slopes[l]", "da = dy * slopes[l] if l + 1 < len(Ws) else dy", "the last activation is not differentiated"),
    ("02_L_layers", "da = dy * slopes[l]", "da = dy * slopes[min(l + 1, len(Ws) - 1)]", "by the slope of the layer after it"),
    ("02_L_layers", "ys[l].T @ da", "(ys[l + 1] if ys[l].shape == ys[l + 1].shape else ys[l]).T @ da", "what went into W is the output before"),
    ("02_L_layers", "da @ Ws[l].T", "da @ (Ws[l] if len(Ws[l]) == len(Ws[l].T) else Ws[l].T)", "is da times W transposed"),
    ("02_L_layers", "dWs.insert(0, ", "dWs.append(", "in the order of the loop backward"),
    ("02_fork", " + dv @ C.T", "", "only the gradient of u has come back"),
    ("02_fork", "du @ A.T + dv @ C.T", "(du @ A.T + dv @ C.T) / 2", "they add up"),
    ("02_fork", "dx = dy + da @ W.T", "dx = da @ W.T", "the path past the layer is missing"),
    ("02_fork", "dx = dy + da @ W.T", "dx = dy", "only the path past the layer is there"),
    ("02_fork", "1 - h**2", "1 - y**2", "its slope is 1 - h², not 1 - y²"),
    ("03_directional", "v /= np.linalg.norm(v)", "", "divide it by its length"),
    ("03_directional", "v = rng.standard_normal(theta.shape)", "v = gradient.copy()", "v points along the gradient"),
    ("03_directional", "v = rng.standard_normal(theta.shape)", "v = np.ones(theta.shape)", "the same sign"),
    ("03_directional", "loss(theta - h * v)) / (2 * h)", "loss(theta)) / h", "that difference is one-sided"),
    ("03_directional", "/ (2 * h)", "/ h", "the two places are 2h apart"),
    ("03_directional", "return gradient @ v, measured", "theta += h * v\n    return gradient @ v, measured", "theta is changed"),
    ("03_dropout", " / (1 - self.rate)\n", " * 1.0\n", "so E[y] = (1 - p) x"),
    ("03_dropout", ">= self.rate", "< self.rate", "is the share to drop"),
    ("03_dropout", "else dy * self.m", "else dy", "the mask is missing: a dropped number has no path"),
    ("03_dropout", "else dy * self.m", "else dy * (self.m > 0)", "dy is dropped, but not divided by 1 - p"),
    ("03_dropout", "self.m = None\n        if rng is None:", "if rng is None:", "the mask of the forward before is still there"),
    ("03_dropout", "x**2 * self.rate / (1 - self.rate)", "x**2 * self.rate * (1 - self.rate)", "the variance of a mask of 0 and 1"),
    ("03_dropout", "x**2 * self.rate / (1 - self.rate)", "x**2 / (1 - self.rate)", "this is E[y²]"),
    ("04_momentum", "self.v *= self.momentum", "self.v *= 0", "v does not last"),
    ("04_momentum", "parameters -= self.lr * self.v", "parameters = parameters - self.lr * self.v", "works in place"),
    ("04_adam", "self.m / (1 - self.beta1**self.t)", "self.m", "the parameters after step 1 is wrong"),
    ("04_mean_momentum", "self.v *= self.momentum", "self.v *= 0", "v does not last"),
    ("04_mean_momentum", "self.lr / (1 - self.momentum) * self.v", "self.lr * self.v", "the steps are too short"),
    ("04_mean_momentum", "parameters -= self.lr", "parameters = parameters - self.lr", "works in place"),
    ("05_relu", "self.y > 0", "self.y <= 0", "the mask is inverted"),
    ("05_he", "np.sqrt(2 / inputs)", "2 / inputs", "this is the variance"),
    ("05_he", "np.sqrt(2 / inputs)", "np.sqrt(1 / inputs)", "ReLU halves"),
    ("05_batchnorm", "((x - m) ** 2).mean(axis=0)", "x.var(axis=0, ddof=1)", "divided by N, not by N - 1"),
    ("05_batchnorm", "1 / np.sqrt(v + self.eps)", "1 / (v + self.eps)", "the root is missing"),
    ("05_batchnorm", "dy - self.dbeta / n - self.x_hat * self.dgamma / n", "dy", "m and v are taken for constants"),
    ("05_batchnorm", " - self.x_hat * self.dgamma / n", "", "the way through v is missing"),
    ("05_batchnorm", "dy - self.dbeta / n", "dy", "the way through m is missing"),
    ("05_batchnorm", "self.gamma * self.r * dx", "self.r * dx", "γ is missing: dx̂ = γ dy"),
    ("05_batchnorm", "self.dgamma / n", "self.dgamma", "dx is wrong"),
    ("05_batchnorm", "(dy * self.x_hat).sum(axis=0)", "dy.sum(axis=0)", "x̂ is missing"),
    ("06_pca", "Vt[:k]", "Vt.T[:k]", "these are columns"),
    ("06_pca", "svd(x - mean", "svd(x", "they belong to x with its mean"),
    ("06_pca", "code @ axes + mean", "code @ axes", "the mean is not added"),
    ("06_escape", "U[:, -1]", "U[:, 0]", "uᵀ W₂ is not 0"),
    ("06_escape", "vectors[:, left_out][:, -1]", "vectors[:, -1]", "W₂ v is not 0"),
    ("06_escape", "vectors[:, left_out][:, -1]", "vectors[:, left_out][:, 0]", "is not the largest"),
    ("06_escape", "W1 + epsilon * np.outer(v, u)", "W1", "it stands still"),
    ("06_escape", "W2 + epsilon**2 * np.outer(u, v)", "W2", "the change of W₁ alone does nothing"),
    ("06_escape", "W2 + epsilon**2 *", "W2 - epsilon**2 *", "the loss would rise"),
    ("06_escape", "W2 + epsilon**2 *", "W2 + epsilon *", "costs more than v vᵀ gains"),
    ("06_escape", "return u, v, W1 +", "W1 *= 1.5; return u, v, W1 +", "work on copies"),
    ("07_log_sum_exp", "m = x.max(axis=1, keepdims=True)", "m = np.zeros((len(x), 1))", "NaN or infinite"),
    ("07_bce_with_logits", "(softplus - target * prediction).sum() / n", "(softplus - target * prediction).mean()", "averaged over the pixels too"),
    ("07_softmax_ce", "p * (dp - (dp * p).sum(axis=1, keepdims=True))", "p * dp", "also moves the other probabilities"),
    ("07_softmax_ce", "p * (dp - (dp * p).sum(axis=1, keepdims=True))", "p * (1 - p) * dp", "the slope of a sigmoid"),
    ("07_softmax_ce", "(dp * p).sum(axis=1, keepdims=True)", "dp.sum(axis=1, keepdims=True)", "the sum has no p in it"),
    ("07_softmax_ce", "np.exp(log_p).sum(axis=1, keepdims=True)", "np.exp(log_p).sum(axis=0)", "L is wrong"),
    ("07_softmax_ce", "- t) / n", "- t)", "the mean over the batch is missing, which L has"),
    ("07_softmax_ce", "(np.exp(log_p) - t) / n", "-t / np.exp(log_p) / n", "this is ∂L/∂p"),
    ("07_softmax_ce", "-(t * log_p).sum()", "(t * log_p).sum()", "L: the sign is flipped"),
    ("07_softmax_ce", "a - a.max(axis=1, keepdims=True)", "a - a.max()", "each row needs an m of its own"),
    ("07_softmax_ce", "a - a.max(axis=1, keepdims=True)", "a", "each row needs an m of its own"),
    ("08_im2col", "columns[:, :, :, i, j]", "columns[:, :, :, j, i]", "i and j have changed places"),
    ("08_conv", "self.columns.T @ rows", "-self.columns.T @ rows", "the sign is flipped"),
    ("08_conv_transpose", "(self.K, self.K)) + self.b", "(self.K, self.K))", "the bias is missing"),
    ("08_maxpool", "found.max(axis=-1)", "found.mean(axis=-1)", "this is the mean of each window"),
    ("08_maxpool", "dy[..., None] * at", "dy[..., None] * np.ones(4)", "only the largest one moves y"),
    ("08_maxpool", "dy[..., None] * at", "dy[..., None] * np.ones(4) / 4", "that is average pooling"),
    ("08_maxpool", "found.argmax(axis=-1)", "3 - found[..., ::-1].argmax(axis=-1)", "the last of several equal numbers"),
    ("08_maxpool", "found.argmax(axis=-1)", "np.where(found.max(axis=-1) == 0, 9, found.argmax(axis=-1))", "a window of zeros gets no gradient"),
    ("09_masking_noise", "dy if self.mask is None else dy * self.mask", "dy", "not differentiated"),
    ("10_l1", "np.abs(z).sum()", "np.square(z).sum()", "the value is wrong"),
    ("10_sparse_kl", "dmean / len(z)", "dmean", "summed over the batch where the value is averaged"),
    ("10_sparse_kl", "z.mean(axis=0)", "z", "ρ̂ is taken of every example"),
    ("10_tied", "x.T @ da + dprediction.T @ z", "x.T @ da", "this is the encoder's use alone"),
    ("10_tied", "x.T @ da + dprediction.T @ z", "dprediction.T @ z", "this is the decoder's use alone"),
    ("10_tied", "x.T @ da + dprediction.T @ z", "(x.T @ da + dprediction.T @ z) / 2", "or the two uses are averaged"),
    ("10_tied", "da = dz * z * (1 - z)", "da = dz", "σ is not differentiated"),
    ("10_tied", "2 * (prediction - x) / n", "2 * (prediction - x)", "the mean over the batch is missing"),
    ("10_contractive", "x.T @ da + 2 / n * (s**2).sum(axis=0) * W", "x.T @ da", "x its W"),
    ("11_kl", "(variance - 1) / n", "(variance - 1)", "summed over the batch where the value is averaged"),
    ("11_kl", "variance = np.exp(log_var)", "variance = np.exp(log_var) ** 2", "the value is wrong"),
    ("11_reparameterise", "np.exp(log_var / 2) / 2", "np.exp(log_var / 2)", "the ½ of ∂σ/∂log_var"),
    ("11_linear_vae", "x - x.mean(axis=0)", "x", "the mean was not taken away"),
    ("11_linear_vae", "/ len(x)", "/ (len(x) - 1)", "divided by N, not by N - 1"),
    ("11_linear_vae", "c = beta * s2", "c = s2", "β is missing"),
    ("11_linear_vae", "np.sqrt(m - c)", "np.sqrt(m)", "not λ"),
    ("11_linear_vae", "c / m, 0.5", "np.sqrt(c / m), 0.5", "these are σ"),
    ("11_linear_vae", "0.5 * np.log(m / c)", "0.5 * np.log(eigenvalues / c)", "its KL is 0"),
    ("11_linear_vae", "0.5 * np.log(m / c)", "np.log(m / c)", "the ½ is missing"),
    ("11_vae_step", "dmu = dz + mu / n", "dmu = dz", "the KL's part of dμ is missing"),
    ("11_vae_step", " + (np.exp(log_var) - 1) / (2 * n)", "", "the KL's part of dℓ is missing"),
    ("11_vae_step", "epsilon * sigma / 2", "epsilon * sigma", "the ½ of ∂σ/∂ℓ"),
    ("11_vae_step", " + dlog_var @ Wv.T", "", "what comes back from ℓ is missing"),
    ("11_vae_step", "dh * (1 - h**2)", "dh", "tanh is not differentiated"),
    ("11_vae_step", " + kl.sum()", "", "the KL is missing"),
    ("11_kl_by_hand", "(var + (mu - m) ** 2) / v - np.log(var / v)", "(v + (mu - m) ** 2) / var - np.log(v / var)", "have changed places"),
    ("11_kl_by_hand", "(var + (mu - m) ** 2) / v", "(mu - m) ** 2 / v", "the variance σ² of the draws is missing"),
    ("11_kl_by_hand", " - np.log(var / v) - 1", " - 1", "log q has -½ log σ²"),
    ("11_kl_by_hand", "np.sqrt(var) * epsilon", "var * epsilon", "σ is the root of the variance"),
    ("11_kl_by_hand", " / np.sqrt(len(ratio))", "", "this is the spread of one draw"),
    ("11_iwae_weights", "log_p + 0.5 * (epsilon**2 + log_var[:, None] - z**2).sum(axis=2)", "log_p + 0 * z.sum(axis=2)", "p(z) / q(z|x) is missing"),
    ("11_iwae_weights", "top = log_w.max(axis=1, keepdims=True)", "top = np.zeros((n, 1))", "NaN or infinite"),
    ("11_iwae_weights", "np.log(w.mean(axis=1))", "np.log(w.sum(axis=1))", "the weights are added"),
    ("11_iwae_weights", "(slope - z)", "slope", "its slope is -z"),
    ("11_iwae_weights", ".sum(axis=1) - 0.5 / n", ".sum(axis=1)", "its slope ½ is missing"),
    ("11_iwae_weights", "-share[:, :, None]", "-1 / share.shape[1]", "each pulls by its share"),
    ("12_free_energy", "-v @ a - np", "-np", "a (visible) is missing"),
    ("12_cd1", "(u < p0).astype(v0.dtype)", "p0", "h₀ is not drawn"),
    ("12_cd1", "p1 = sigmoid(v1 @ W + b)", "p1 = p0", "it belongs to the reconstruction"),
    ("12_bound", "log_prior + log_v - log_q)", "log_prior + log_v)", "the entropy H(Q) is missing"),
    ("12_bound", "log_v - log_q)", "log_v + log_q)", "the entropy has the wrong sign"),
    ("12_bound", "(log_prior + log_v", "(log_v", "log P(h) is missing"),
    ("12_bound", "(np.exp(log_q) * (log_prior + log_v - log_q)).sum(axis=1)", "np.log(np.exp(log_prior + log_v).sum(axis=1))", "the bound lies below it"),
    ("12_enumerate", "-P])", "0 * P])", "the second average is missing"),
    ("12_enumerate", "-P])", "P])", "the two averages are added"),
    ("12_enumerate", "-P])", "-np.full(16, 1 / 16)])", "each state counts as P(v)"),
    ("12_enumerate", "np.exp(-F - log_Z)", "np.exp(-F)", "is not divided by Z"),
    ("12_enumerate", "np.full(len(x), 1 / len(x))", "np.ones(len(x))", "the mean over the data is missing"),
    ("12_enumerate", ".mean() + log_Z", ".mean()", "log Z is missing"),
    ("12_enumerate", "p = sigmoid(v @ W + b)", "p = v @ W + b", "is the sigmoid of c"),
    ("12_gibbs", "(w < sigmoid(h @ W.T + a)).astype(v.dtype)", "sigmoid(h @ W.T + a)", "these are its probabilities"),
    ("12_gibbs", "(u < sigmoid(v @ W + b)).astype(v.dtype)", "sigmoid(v @ W + b)", "h is not drawn"),
    ("12_gibbs", "h_given_v @ v_given_h", "(h_given_v @ v_given_h).T", "it is transposed"),
    ("12_gibbs", "h_given_v @ v_given_h", "np.ones_like(h_given_v) @ v_given_h", "every h counts alike"),
    ("12_gibbs", ", 1 - p)", ", 1)", "a bit of 0 has the probability 1 - p"),
    ("14_heads_mistake", "a[:, :k], a[:, k:]", "a[:, :1], a[:, k:]", "one mean is stretched"),
    ("14_heads_mistake", "a[:, :k], a[:, k:]", "a[:, k:], a[:, :k]", "have changed places"),
    ("14_heads_mistake", "[dmu, dlog_var]", "[dmu, 2 * dlog_var]", "the ½ of ∂σ/∂log σ²"),
    ("15_gan_step", "(sigmoid(made_logits) - 1) / N @ w.T", "-sigmoid(made_logits) / N @ w.T", "it descends -L_D"),
    ("15_gan_step", " + made.T @ dmade_logits", "", "the made examples are missing"),
    ("16_bptt", "dy[:, t] + later", "dy[:, t]", "what comes back from the next step is missing"),
    ("16_bptt", "dU += h[t].T", "dU += h[t + 1].T", "it belongs to the state before the step"),
    ("16_bptt", "da = dh * (1 - h[t + 1] ** 2)", "da = dh", "tanh is not differentiated"),
    ("16_attention", "(dp - (dp * p).sum(axis=1, keepdims=True))", "dp", "a score also moves the other weights"),
    ("16_attention", "da /= np.sqrt(q.shape[1])", "", "the √w is missing"),
    ("16_clip", "norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients))", "norm = sum((gradient**2).sum() for gradient in gradients)", "the square root of the norm is missing"),
    ("16_clip", "[factor * gradient for gradient in gradients]", "[np.clip(gradient, -limit, limit) for gradient in gradients]", "which turns the gradient"),
    ("16_clip", "min(1.0, limit / norm)", "limit / norm", "a norm below the limit is to stay"),
    ("17_auc", "p > q", "p < q", "the order is turned round"),
    ("17_auc", " + 0.5 * (p == q)", "", "equal scores count 0 here"),
    ("17_auc", ".mean()", ".sum()", "divide by how many there are"),
    ("17_bits", "np.log2", "np.log", "the unit is the nat"),
    ("17_bits", "p = normal((high - mu) / sigma) - normal((low - mu) / sigma)", "p = step * np.exp(-(((k * step - mu) / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi))", "this is the density times the step"),
    ("17_bits", ".sum(axis=1)  # half", ".mean(axis=1)  # half", "they add up"),
    ("17_bits", "np.rint(z / step)", "np.floor(z / step)", "is wrong"),
    ("18_straight_through", "dprediction @ V.T + 2 * beta / N * (z - e)", "2 * beta / N * (z - e)", "the encoder gets nothing"),
    ("18_straight_through", " + 2 * beta / N * (z - e)", "", "the commitment β |z - sg(e)|² is missing"),
    ("18_straight_through", "(2 / N * (e - z))", "(2 / N * (e - z) + dprediction @ V.T)", "trains the codebook too"),
    ("18_masked_loss", "(difference**2).sum() / len(x)", "((prediction - x) ** 2).sum() / len(x)", "all numbers count"),
    ("18_masked_loss", "np.where(hidden == 1, prediction - x, 0.0)", "(prediction - x) * hidden", "NaN"),
    ("19_tweedie", "(mean - y) / s**2", "(y - mean) / s**2", "the sign is flipped"),
    ("19_tweedie", "np.exp(far.min(axis=1, keepdims=True) - far)", "np.exp(-far)", "at s = 0.02"),
    ("19_schedule", "np.sqrt(1 / precision)", "np.sqrt(sigma**2 - tau**2)", "this is the noise that leads from τ up to σ"),
    ("19_schedule", "a**2 / (2 * c**2)", "1 / (2 * c**2)", "the means are a (x - x̂) apart"),
    ("13_roofline", "2 * N * I * O", "N * I * O", "a multiplication and an addition are two operations"),
    ("13_roofline", "max(operations / P, traffic / B)", "operations / P + traffic / B", "the two overlap"),
    ("20_early_stopping", "parameters.copy()", "parameters", "keep a copy"),
    ("20_early_stopping", "parameters[...] = self.kept", "parameters = self.kept", "write into the vector"),
    ("20_early_stopping", "loss < self.best", "loss <= self.best", "an equal loss counts as better"),
    ("20_early_stopping", "self.since >= self.patience", "self.since > self.patience", "this stops one later"),
    ("20_early_stopping", "self.since += 1", "self.since, self.best = self.since + 1, loss", "compare with the best so far"),
    ("20_weight_decay", "g + decay * theta", "g + 2 * decay * theta", "without a 2"),
    ("20_weight_decay", "g + decay * theta, m, v, t, lr, 0", "g, m, v, t, lr, decay", "it is decoupled"),
    ("20_weight_decay", "(1 - lr * decay) * theta", "(1 - decay) * theta", "not multiplied by the learning rate"),
    ("20_weight_decay", "theta = (1 - lr * decay) * theta", "g = g + decay * theta", "give Adam g alone"),
    ("20_folds", "fit(x[rest])", "fit(x)", "that is the training error"),
    ("20_folds", "np.concatenate(found).mean()", "np.mean([each.mean() for each in found])", "the mean of the folds' means"),
    ("20_folds", "np.array_split(order, k)", "np.array_split(np.arange(len(x)), k)", "data are often sorted"),
    ("20_folds", "errors(fit(x[rest]), x[held])", "errors(fit(x[held]), x[rest])", "fit it to the others"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "before", "after", "said"), MISTAKES, ids=[f"{name}: {after}" for name, _, after, _ in MISTAKES]
)
def test_a_mistake_is_called_by_its_name(name, before, after, said, tmp_path, capsys):
    solution = (EXERCISES / "solutions" / f"{name}.py").read_text(encoding="utf-8")
    assert before in solution
    wrong = tmp_path / f"{name}.py"  # in another folder: the check is found all the same
    wrong.write_text(solution.replace(before, after), encoding="utf-8")
    code, text = run(wrong, capsys)
    assert code == grade.WRONG and said in text, text


def test_an_overflow_is_seen(tmp_path, capsys):
    solution = (EXERCISES / "solutions" / "07_bce_with_logits.py").read_text(encoding="utf-8")
    naive = solution.replace(
        "np.maximum(prediction, 0) + np.log1p(np.exp(-np.abs(prediction)))", "np.log(1 + np.exp(prediction))"
    )
    assert naive != solution
    wrong = tmp_path / "07_bce_with_logits.py"
    wrong.write_text(naive, encoding="utf-8")
    code, text = run(wrong, capsys)
    assert code == grade.WRONG and "the value for logits up to ±10,000 is wrong" in text and "it is inf" in text


# What the checks are written with


def test_equal():
    assert equal("y", [1.0, 2.0], [1.0, 2.0 + 1e-9]) == "y: right"
    for found, said in (
        (None, "y is None: does the function end with `return`"),
        ("a", "should be an array of shape \\(2,\\), but is a str"),
        ([1.0, 2.0, 3.0], "should be an array of shape \\(2,\\), but has shape \\(3,\\)"),
        ([2.0, 4.0], "it is 2 times what it should be"),
        ([-1.0, -2.0], "the sign is flipped"),
        ([2.0, 3.0], "it is off by 1 everywhere"),
        ([np.nan, 2.0], "1 of 2 numbers are NaN or infinite"),
        ([1.0, 5.0], r"at \[1\] it is 5, and should be 2$"),
    ):
        with pytest.raises(AnswerError, match=said):
            equal("y", found, [1.0, 2.0])
    with pytest.raises(AnswerError, match="its transpose has"):
        equal("W", np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(AnswerError, match="W: half of it"):
        equal("W", 1.0, 2.0, {"half of it": 1.0})


def test_gradients_raises_with_the_diagnosis():
    assert gradients(lambda x: ((x**2).sum(), 2 * x), np.ones((2, 3))).startswith(
        "∂L/∂x: equal to central differences"
    )
    with pytest.raises(AnswerError, match="constant factor of 1/2"):
        gradients(lambda x: ((x**2).sum(), x), np.ones((2, 3)) + np.arange(3))


def test_files_of_the_wheel():
    """Exercises are found beside the chapters, wherever those lie."""
    assert Path(EXERCISES).is_dir() and (EXERCISES / "checks" / "tools.py").is_file()
