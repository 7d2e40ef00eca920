"""The laboratory of the study page: numbers are changed, and what follows is what the library would have computed."""

import re

import numpy as np
import pytest
from browser import repacked
from numpy.testing import assert_allclose

import scratchae as sae
from scratchae.study import trace
from scratchae.study.page import write_page
from scratchae.study.tiny import classic, tiny
from scratchae.study.tracing.recording import Again


def variational(rng=0):
    rng = np.random.default_rng(rng)
    encoder = sae.Sequential(sae.Dense(9, 5, rng=rng), sae.ReLU())
    decoder = sae.Sequential(sae.Dense(2, 9, rng=rng))
    heads = sae.Dense(5, 2, rng=rng), sae.Dense(5, 2, rng=rng)
    return sae.VAE(encoder, *heads, decoder, loss=sae.BCEWithLogits(), beta=2.0).to("cpu", np.float64)


def boltzmann():
    return sae.RBM(6, 4, persistent=True, chains=5, rng=np.random.default_rng(0))


SUBJECTS = {
    "classic": lambda: (*classic(), sae.SGD(0.5)),
    "tiny": lambda: (*tiny(), sae.SGD(0.5)),
    "vae": lambda: (variational(), np.random.default_rng(1).random((3, 9)), sae.Adam(0.01, clip_norm=0.5)),
    "rbm": lambda: (boltzmann(), np.random.default_rng(1).random((3, 6)).round(), sae.SGD(0.1)),
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """pages(name) -> (its trace, the path of its page), each made once."""
    made = {}

    def page(name):
        if name not in made:
            model, x, optimizer = SUBJECTS[name]()
            found = trace(model, x, rng=0, optimizer=optimizer)
            made[name] = found, write_page(found, tmp_path_factory.mktemp("laboratory") / "page.html")
        return made[name]

    return page


def opened(browsed):
    browsed.wait_for_selector("#laboratory[data-state=open]")
    return browsed


def values(browsed, key):
    return np.array(browsed.evaluate("(key) => [...run.get(key)].map(String)", key), float)


def compare(browsed, found):
    for step in found:
        got = values(browsed, step.result.key)
        scale = max(np.abs(step.result.array).max(initial=0), 1e-6)
        assert_allclose(got, step.result.array.ravel(), atol=1e-9 * scale, err_msg=step.text)


def change(browsed, number, place, text):
    """Click a number of an operand, by where in its picture it is, and write another."""
    map_ = browsed.locator(f"#operands .tensor:nth-of-type({number}) .map")
    box = map_.bounding_box()
    map_.click(position={"x": place[0] * box["width"], "y": place[1] * box["height"]})
    browsed.fill(".editor input[type=text]", text)


# The page computes by itself


def test_it_says_that_its_numbers_are_the_librarys(pages, browse):
    for name in SUBJECTS:
        found, path = pages(name)
        browsed = opened(browse(path))
        drawn = sum(step.formula.drawn for step in found)
        assert f"✓ All {len(found)} steps" in browsed.inner_text("#agreement"), drawn
        compare(browsed, found)


@pytest.mark.parametrize(
    ("pattern", "instead", "said"),
    [
        (r'("encoder.0.W":\{[^}]*"data":".{6}).{4}', r"\1AAAA", "At step 1, a₁: it comes to other numbers"),
        (r'\["matmul","x","W"\]', '["matmul2","x","W"]', "At step 1, a₁: the operator matmul2 is not known"),
        (r'("print":\[)', r"\g<1>1", "At step 1, a₁: it comes to other numbers"),
        (r'("encoder.0.W":\{[^}]*"data":").{32}', r"\1", "At step 1, a₁: W₁ has 1 numbers, not 4"),
    ],
    ids=["number", "operator", "fingerprint", "cut"],
)
def test_a_page_that_was_changed_is_not_to_be_trusted(pages, browse, tmp_path, pattern, instead, said):
    text = pages("classic")[1].read_text("utf-8")
    changed = repacked(text, lambda data: re.sub(pattern, instead, data, count=1))
    assert changed != text
    (tmp_path / "page.html").write_text(changed, "utf-8")
    browsed = browse(tmp_path / "page.html")
    browsed.wait_for_selector("#laboratory[data-state=shut]")
    assert "✗ Do not trust this page." in browsed.inner_text("#agreement")
    assert said in browsed.inner_text("#agreement")
    assert browsed.locator("#controls").is_hidden()


MISSING = {
    "the end": (lambda text: text[: text.index('id="trace"') + 500], "this file is not complete"),
    "a piece": (
        lambda text: re.sub(r'(id="trace">.{200}).{40}', r"\1", text),
        "The numbers of this page cannot be read",
    ),
    "a name": (lambda text: repacked(text, lambda data: data.replace('"steps":', '"stairs":', 1)), "cannot be read"),
}


@pytest.mark.parametrize("what", MISSING)
def test_a_page_of_which_something_is_missing_says_so(pages, browse, tmp_path, what):
    change, said = MISSING[what]
    (tmp_path / "page.html").write_text(change(pages("classic")[1].read_text("utf-8")), "utf-8")
    browsed = browse(tmp_path / "page.html", whole=what != "the end")
    assert said in browsed.inner_text("#waiting")
    assert browsed.locator("main").is_hidden()


def test_a_browser_that_cannot_unpack_the_page_is_told_so(pages, browse, tmp_path):
    text = pages("classic")[1].read_text("utf-8")
    old = text.replace(
        "<head>", "<head><script>delete window.DecompressionStream; delete window.MathMLElement</script>"
    )
    (tmp_path / "page.html").write_text(old, "utf-8")
    assert "this browser is too old" in browse(tmp_path / "page.html").inner_text("#waiting")


def test_what_no_formula_tells_cannot_be_changed(browse, tmp_path):
    class Own(sae.Layer):
        def forward(self, x):
            return 2 * x

        def backward(self, dy):
            return 2 * dy

    model = sae.Autoencoder(sae.Sequential(sae.Dense(3, 2), Own()), sae.Sequential(sae.Dense(2, 3)), loss=sae.MSE())
    browsed = browse(trace(model, np.ones((2, 3), np.float32)).html(tmp_path / "page.html"))
    assert "No formula tells how y₁ is computed" in browsed.inner_text("#agreement")
    assert browsed.locator("#controls").is_hidden()


# Changing a number


def test_what_follows_from_a_number_is_computed_and_marked(pages, browse):
    browsed = opened(browse(pages("classic")[1]))
    change(browsed, 2, (0.75, 0.25), "0.4")
    model, x, optimizer = SUBJECTS["classic"]()
    model.encoder.layers[0].W[0, 1] = 0.4
    compare(browsed, trace(model, x, rng=0, optimizer=optimizer))
    assert "Your numbers: W₁[0, 1] = 0.4 (0.25 by the library)" in browsed.inner_text("#agreement")
    assert "0.4 with your numbers; 0.3925 with the library's" in browsed.inner_text("#sum")
    assert "W₁[0, 1]" in browsed.inner_text(".editor")
    marked = set(browsed.locator("#diagram .changed text").all_text_contents())
    assert {"W₁", "a₁", "L", "∂L/∂W₁"} <= marked and "x" not in marked
    browsed.click("#reset")
    compare(browsed, pages("classic")[0])
    assert "✓ All" in browsed.inner_text("#agreement")
    assert browsed.locator("#diagram .changed").count() == 0


def test_a_number_that_was_clicked_stays_chosen_while_others_change(pages, browse):
    browsed = opened(browse(pages("tiny")[1]))
    browsed.locator("#result .map").click(position={"x": 5, "y": 5})
    browsed.wait_for_function("location.hash.includes('&at=0,0')")
    browsed.evaluate("act({ set: 'x', flat: 5, value: 3 })")  # of the second example
    assert browsed.get_attribute("#sum", "data-index") == "0,0"
    assert "the same as with the library's numbers" in browsed.inner_text("#sum")
    browsed.keyboard.press("Escape")  # from its field
    browsed.keyboard.press("Escape")
    browsed.evaluate("act({ set: 'x', flat: 5, value: 4 })")
    assert browsed.get_attribute("#sum", "data-index")[0] == "1"  # what has moved most


def test_differences_are_measured_with_ones_own_numbers(pages, browse):
    found, path = pages("classic")
    browsed = opened(
        browse(path, anchor=f"#step={found['∂L/∂W₁'].number}&do=encoder.0.W[0,1]:0.4;encoder.0.b[0]:0.3")
    )
    model, x, optimizer = SUBJECTS["classic"]()
    model.encoder.layers[0].W[0, 1], model.encoder.layers[0].b[0] = 0.4, 0.3
    own = trace(model, x, rng=0, optimizer=optimizer)["∂L/∂W₁"]
    assert "✓ Yes. Measured with your numbers" in browsed.inner_text("#comparison")
    digits = str.maketrans({"−": "-", "·": "e", "⁻": "-"} | dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True)))
    rows = [
        row.inner_text().translate(digits).replace("e10", "e").split("\t")
        for row in browsed.locator("#comparison tbody tr").all()
    ]
    assert [float(row[1]) for row in rows] == pytest.approx(own.result.array.ravel(), rel=1e-3)
    assert [float(row[2]) for row in rows] == pytest.approx(own.check.numeric.ravel(), rel=1e-3)


def test_a_corner_beside_a_number_is_no_wrong_gradient(browse, tmp_path):
    rng = np.random.default_rng(0)
    encoder, decoder = sae.Sequential(sae.Dense(3, 2, rng=rng), sae.ReLU()), sae.Sequential(sae.Dense(2, 3, rng=rng))
    found = trace(sae.Autoencoder(encoder, decoder, loss=sae.MSE()), np.zeros((2, 3)), optimizer=sae.SGD(0.1))
    path = write_page(found, tmp_path / "page.html")
    number = found["∂L/∂b₁"].number
    for bias, said in ((0, "1 at a kink"), (2e-6, "✓ Yes"), (-5e-6, "✓ Yes")):
        browsed = opened(
            browse(path, anchor=f"#step={number}&do=encoder.0.b[0]:{bias};encoder.0.b[1]:0.3;decoder.0.b[0]:0.5")
        )
        text = browsed.inner_text("#comparison")
        assert said in text and "✗" not in text, text


def test_a_number_is_changed_by_keyboard_alone_and_shared_by_the_address(pages, browse):
    found, path = pages("classic")
    browsed = opened(browse(path))
    browsed.focus("#operands .tensor:nth-of-type(3) .map")
    for key in ("ArrowRight", "Enter"):
        browsed.keyboard.press(key)
    browsed.keyboard.type("-1.5e-1")
    assert values(browsed, "encoder.0.b")[1] == -0.15
    browsed.keyboard.press("Tab")
    before = values(browsed, "encoder.0.y")[1]
    browsed.keyboard.press("ArrowRight")  # of the slider
    assert values(browsed, "encoder.0.y")[1] > before
    browsed.keyboard.press("Escape")
    assert browsed.locator(".editor").count() == 0
    again = opened(browse(path, anchor=browsed.url[browsed.url.index("#") :]))
    assert values(again, "encoder.0.b")[1] == values(browsed, "encoder.0.b")[1] != 0.35
    again.click("#undo")
    compare(again, found)


def test_what_is_no_number_is_refused_in_a_sentence(pages, browse):
    found, path = pages("classic")
    browsed = opened(browse(path))
    refused = {
        "0,5": "“0,5” is no number here: write 0.5, with a point.",
        "half": "“half” is no number",
        "": "Write a number",
        "1e999": "1e999 is too large",
        "NaN": "“NaN” is no number",
    }
    for text, said in refused.items():
        change(browsed, 1, (0.25, 0.5), text)
        assert said in browsed.inner_text(".editor")
    compare(browsed, found)


def test_an_address_that_asks_for_what_is_not_there_says_so(pages, browse):
    browsed = opened(
        browse(pages("classic")[1], anchor="#step=abc&do=encoder.9.W[0,0]:1;x[0,7]:1;x[0,1]:2;lr=fast;loss[]:3;~;+2")
    )
    refused = "encoder.9.W[0,0]:1, x[0,7]:1, lr=fast, loss[]:3, ~"
    assert browsed.inner_text("#trouble") == f"The address asks for {refused}, which this page does not have; that was left out."  # fmt: skip
    assert browsed.evaluate("run.taken") == 2  # a + that has become a space
    assert values(browsed, "x")[1] == 2
    assert re.search(r"#step=1&do=x", browsed.url)


# Training


@pytest.mark.parametrize("name", ["tiny", "vae", "rbm"])
def test_updates_are_those_of_the_library(pages, browse, name):
    found, path = pages(name)
    browsed = opened(browse(path))
    browsed.evaluate("byId('fresh').checked = false")
    for _ in range(20):
        browsed.click("#take")
    model, x, optimizer = SUBJECTS[name]()
    model = model.to("cpu", np.float64)
    draws = [step.result.array for step in found if step.formula.drawn]
    losses = []
    for _ in range(21):
        losses.append(float(model.training_step(x.astype(np.float64), Again(draws))["loss"]))
        optimizer.update(model.parameters, model.gradient)
    shown = browsed.evaluate("run.losses")
    assert shown == pytest.approx(losses, rel=1e-9)
    assert f"L = {shown[-1]:.7g}"[:9] in browsed.inner_text("#loss")
    assert "after 20 updates" in browsed.inner_text("#loss")
    assert len(browsed.get_attribute("#curve polyline", "points").split()) == 21
    browsed.click("#reset")
    compare(browsed, found)


def test_two_runs_stand_side_by_side(pages, browse):
    found, path = pages("vae")
    browsed = opened(browse(path))
    browsed.check("#fresh")
    browsed.click("#take")
    browsed.click("#pin")
    browsed.fill("#knob-lr", "0.5")
    for _ in range(3):
        browsed.click("#take")
    key = "encoder.0.W"
    a, b = (np.array(browsed.evaluate(f"[...{run}.get('{key}')]")) for run in ("pinned", "yours"))
    assert np.abs(a - b).max() > 0.5  # a rate of 0.01 against one of 0.5
    assert browsed.evaluate("pinned.taken") == browsed.evaluate("yours.taken") == 4
    noise = browsed.evaluate("trace.steps.find(({ draws }) => draws).result")
    assert_allclose(browsed.evaluate(f"[...pinned.get('{noise}')]"), browsed.evaluate(f"[...yours.get('{noise}')]"))
    shown = "[...tensors['encoder.0.W'].values]"
    for view, expected in (("A", a), ("B − A", b - a), ("B", b)):
        browsed.select_option("#view", view)
        assert_allclose(browsed.evaluate(shown), expected, err_msg=view)
        assert browsed.locator("#sum").is_visible() == (view != "B − A")
    browsed.select_option("#view", "B − A")
    browsed.evaluate("show", 5)
    assert browsed.locator("#sum").is_hidden()  # of a difference there is no arithmetic
    assert browsed.locator("#curve polyline").count() == 2
    assert "; A " in browsed.inner_text("#loss")
    browsed.select_option("#view", "A")
    browsed.fill("#knob-lr", "0.1")  # what is changed is B
    assert browsed.input_value("#view") == "B"
    browsed.click("#reset")
    assert browsed.locator("#view").is_hidden()
    compare(browsed, found)


def test_it_plays_until_it_is_paused(pages, browse):
    browsed = opened(browse(pages("classic")[1]))
    browsed.click("#play")
    browsed.locator("#loss", has_text=re.compile(r"after ([4-9]|\d\d) updates")).wait_for()
    assert browsed.inner_text("#play") == "Pause"
    browsed.click("#play")
    taken = browsed.evaluate("run.taken")
    browsed.wait_for_timeout(200)
    assert browsed.evaluate("run.taken") == taken
    assert browsed.url.endswith(f"do=%2B{taken}")


def test_noise_is_drawn_anew(pages, browse):
    _, path = pages("vae")
    browsed = opened(browse(path))
    noise = browsed.evaluate("trace.steps.find(({ draws }) => draws).result")
    before = values(browsed, noise)
    browsed.click("#draw")
    drawn = values(browsed, noise)
    assert not np.isclose(before, drawn).any()
    browsed.check("#fresh")
    browsed.click("#take")
    assert not np.isclose(values(browsed, noise), drawn).any()
    again = opened(browse(path, anchor=browsed.url[browsed.url.index("#") :]))
    assert_allclose(values(again, noise), values(browsed, noise))
    numbers = browsed.evaluate(
        "() => { const r = seeded(3); return [1e4, 1e4].map((n, i) => Array.from({length: n}, () => i ? r.normal() : r.uniform())); }"
    )
    assert_allclose([np.mean(numbers[0]), np.mean(numbers[1]), np.std(numbers[1])], [0.5, 0, 1], atol=0.03)


def test_a_number_on_the_way_can_be_held(pages, browse):
    found, path = pages("vae")
    decoder = next(step for step in found if step.layer == "decoder.0")
    browsed = opened(browse(path, anchor=f"#step={decoder.number}"))
    change(browsed, 1, (0.25, 0.1), "3")
    z = found["z"].result.array.copy()
    z[0, 0] = 3
    model, _, _ = SUBJECTS["vae"]()
    assert_allclose(values(browsed, decoder.result.key), (z @ model.decoder.layers[0].W).ravel(), rtol=1e-9)
    browsed.evaluate("show", found["∂L/∂W₁"].number - 1)
    assert "Nothing is measured while a number on the way is held" in browsed.inner_text("#comparison")
    again = opened(browse(path, anchor=browsed.url[browsed.url.index("#") :]))
    assert_allclose(values(again, found["z"].result.key), z.ravel())
    browsed.click("#reset")
    compare(browsed, found)


def test_a_rate_and_a_weight_can_be_set(pages, browse):
    _, path = pages("vae")
    browsed = opened(browse(path))
    browsed.fill("#knob-beta", "0.25")
    browsed.fill("#knob-lr", "0.5")
    model, x, _ = SUBJECTS["vae"]()
    model.beta = 0.25
    compare(browsed, trace(model, x, rng=0, optimizer=sae.Adam(0.5, clip_norm=0.5)))
    browsed.click("#take")
    for number in range(
        0, browsed.evaluate("trace.steps.length"), 4
    ):  # what is written out comes to what is computed
        browsed.evaluate("show", number)
        if browsed.locator("#sum").is_visible():
            shown = browsed.locator("#sum")
            assert float(shown.get_attribute("data-value") or 0) == pytest.approx(
                float(shown.get_attribute("data-traced")), rel=1e-9, abs=1e-15
            )
    browsed.fill("#knob-lr", "fast")
    assert "“fast” is no number" in browsed.inner_text("#trouble")


def test_a_rate_too_high_is_said_with_the_way_back(pages, browse):
    found, path = pages("vae")
    browsed = opened(browse(path))
    browsed.fill("#knob-lr", "1e300")
    browsed.click("#play")
    browsed.locator(
        "#trouble", has_text="are the first that are not finite. “Undo” takes your last change back."
    ).wait_for()
    assert browsed.inner_text("#play") == "Play"
    browsed.click("#undo")
    browsed.click("#undo")
    compare(browsed, found)
    assert browsed.inner_text("#trouble") == ""


def test_a_network_that_changes_more_than_formulas_tell_is_not_trained(browse, tmp_path):
    rng = np.random.default_rng(0)
    encoder, decoder = sae.Sequential(sae.Dense(4, 2, rng=rng)), sae.Sequential(sae.Dense(2, 4, rng=rng))
    model = sae.VQVAE(encoder, sae.Codebook(3, 2, decay=0.9, rng=rng), decoder, loss=sae.MSE())
    browsed = opened(browse(trace(model, rng.random((3, 4)), rng=rng).html(tmp_path / "page.html")))
    assert browsed.locator("#take").is_disabled()
    assert "A step also changes E" in browsed.inner_text("#no-training")


def test_every_step_of_a_changed_page_shows_without_a_complaint(pages, browse):
    found, path = pages("vae")
    browsed = opened(browse(path, anchor="#do=%2B3", width=390, height=800))
    for number in range(0, len(found), 4):
        browsed.evaluate("show", number)
        assert "✗" not in browsed.inner_text("main")
        assert browsed.evaluate("document.documentElement.scrollWidth") == 390


# Drawing


def test_a_drawing_is_rebuilt_and_shared(browse, tmp_path):
    rng = np.random.default_rng(0)
    encoder = sae.Sequential(sae.Dense(49, 8, rng=rng), sae.ReLU())
    decoder = sae.Sequential(sae.Dense(8, 49, rng=rng), sae.Sigmoid())
    model = sae.Autoencoder(encoder, decoder, loss=sae.MSE())
    path = trace(model, rng.random((2, 49), np.float32), numerical=False).html(tmp_path / "page.html")
    browsed = opened(browse(path, has_touch=True))
    browsed.click("#own")
    before = values(browsed, "x")
    assert browsed.locator("#inner .map").is_visible() and "8 numbers" in browsed.inner_text("#pad")
    box = browsed.locator("#paper").bounding_box()
    browsed.mouse.move(box["x"] + box["width"] / 2, box["y"] + 5)
    browsed.mouse.down()
    browsed.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 5, steps=4)
    browsed.mouse.up()
    sheet = values(browsed, "x")[:49].reshape(7, 7)
    # a line down its middle, on an empty sheet, which is the first example
    assert (sheet[:, 3] == 1).all() and not sheet[:, [0, 6]].any()
    assert_allclose(values(browsed, "x")[49:], before[49:])
    code = browsed.evaluate("[...codeMap.tensor.values]")
    assert_allclose(code, values(browsed, "encoder.1.y")[:8])
    copy = model.to("cpu", np.float64)
    assert_allclose(
        values(browsed, "decoder.1.y")[:49], copy.reconstruct(values(browsed, "x").reshape(2, 49))[0], rtol=1e-9
    )
    browsed.focus("#paper")
    for key in ("ArrowLeft", "ArrowLeft", "ArrowLeft", "Space"):
        browsed.keyboard.press(key)
    assert values(browsed, "x").reshape(2, 7, 7)[0, 3, 0] == 1
    assert browsed.evaluate("byId('rebuilt').toDataURL() !== byId('paper').toDataURL()")
    again = opened(browse(path, anchor=browsed.url[browsed.url.index("#") :]))
    assert_allclose(values(again, "x"), values(browsed, "x"))
    assert "Your numbers: a drawing" in again.inner_text("#agreement")
    browsed.click("#clear")
    assert not values(browsed, "x")[:49].any()


def test_a_point_of_the_plane_can_be_chosen(browse, tmp_path):
    rng = np.random.default_rng(0)
    encoder = sae.Sequential(sae.Dense(2, 4, rng=rng), sae.ReLU())
    model = sae.Autoencoder(encoder, sae.Sequential(sae.Dense(4, 2, rng=rng)), loss=sae.MSE())
    x = np.array([[1, 0.5], [-2, 1]], np.float32)
    browsed = opened(browse(trace(model, x, numerical=False).html(tmp_path / "page.html")))
    model = model.to("cpu", np.float64)
    reach = 1.2 * max(np.abs(x).max(), np.abs(model.reconstruct(x.astype(np.float64))).max())
    assert browsed.evaluate("reach()") == pytest.approx(reach)
    box = browsed.locator("#plane").bounding_box()
    browsed.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 0.75 * box["height"])
    assert_allclose(values(browsed, "x"), [reach / 2, -reach / 2, -2, 1], atol=0.02 * reach)
    made = model.reconstruct(values(browsed, "x").reshape(2, 2))[0]
    line = [float(browsed.get_attribute("#plane .first line", end)) for end in ("x2", "y2")]
    assert_allclose(line, [100 / reach * made[0], -100 / reach * made[1]], rtol=1e-4)
    assert browsed.locator("#own").is_hidden()


# Predicting


def ask(browsed, number, answer):
    """Hide a number of the shown result, give an answer, and return what is said of it."""
    if browsed.locator("#question").count() == 0:
        browsed.evaluate("(flat) => pickCell(trace.steps[current], flat)", number)
        browsed.click("#ask")
    browsed.fill("#question input", answer)
    browsed.keyboard.press("Enter")
    return browsed.inner_text("#sum").replace("\n", " ")


def test_a_number_is_asked_for_and_shown_when_it_is_found(pages, browse):
    found, path = pages("tiny")
    browsed = opened(browse(path))
    y = found["a₁"].result.array
    assert "No typical mistake gives it." in ask(browsed, 3, "17")
    assert written(y[1, 1]) not in browsed.inner_text("#sum")
    assert browsed.evaluate("maps.get('encoder.0.y').says(3)") == "a₁[1, 1] = ?"
    assert "✓" in ask(browsed, 3, "0.25*0.8 + 0.30 * .4 + 0.4×0.2 + 0.35")
    assert written(y[1, 1]) in browsed.inner_text("#sum")
    assert browsed.evaluate("document.activeElement.id") == "ask"


def written(value):
    return f"{value:.5g}".replace("-", "−")


MISTAKES = {  # step, place, a wrong answer as a function of the trace, and what is said
    "bias": ("a₁", 0, lambda t: t["a₁"].result.array[0, 0] - 0.35, "what comes through b₁[0] is left out"),
    "sign": ("∂L/∂a₂", 1, lambda t: -t["∂L/∂a₂"].result.array[0, 1], "if the sign is flipped"),
    "upstream": ("∂L/∂a₁", 1, lambda t: (lambda a: a * (1 - a))(t["y₁"].result.array[0, 1]), "if dy is left out: doubling dy changes nothing"),
    "batch": ("∂L/∂b₂", 2, lambda t: t["∂L/∂a₂"].result.array[0, 2], "if the sum over the batch is missing: only the first example is in it"),
    "mean": ("∂L/∂y₂", 0, lambda t: t["∂L/∂y₂"].result.array[0, 0] * 2, "if it is summed over the batch where the value is averaged"),
    "twice": ("∂L/∂y₂", 4, lambda t: t["∂L/∂y₂"].result.array[1, 1] / 2, "if it is averaged over the batch once too often"),
    "factor": ("∂L/∂y₂", 0, lambda t: t["∂L/∂y₂"].result.array[0, 0] / 2, "if it is off by a constant factor of 2"),
    "function": ("y₁", 0, lambda t: t["a₁"].result.array[0, 0], "if σ is left out"),
    "square": ("L", 0, lambda t: float((t["y₂"].result.array - t.x.array).sum() / 2), "if the power is left out"),
}  # fmt: skip


def test_a_wrong_answer_is_named_by_the_mistake_that_leads_to_it(pages, browse):
    found, path = pages("tiny")
    browsed = opened(browse(path))
    for name, (symbol, flat, wrong, said) in MISTAKES.items():
        browsed.evaluate("(number) => { current = -1; show(number); }", found[symbol].number - 1)
        text = ask(browsed, flat, repr(float(wrong(found))))
        assert "is not it." in text and said in text, (name, text)
        if name == "factor":  # with two examples, half of it is also what one 1/N too many gives
            assert "; or if it is averaged over the batch once too often" in text or "; or if it is off" in text


def test_arithmetic_is_understood_or_refused(pages, browse):
    browsed = browse(pages("tiny")[1])
    right = {
        "1 + 2*3": 7,
        "(1+2)·3 − 4/2": 7,
        "2^3^2": 512,
        "-2**2": -4,
        "exp(0) + sqrt(4)": 3,
        "σ(0)": 0.5,
        "1e-3×2": 0.002,
    }
    for text, value in right.items():
        assert browsed.evaluate("arithmetic", text) == {"value": pytest.approx(value)}, text
    for text in ["", "1 +", "1..2", "2 x", "alert(1)", "0,5", "(1", "1/0"]:
        found = browsed.evaluate("arithmetic", text)
        assert list(found) == ["error"] and found["error"], text
