"""The page, in a headless browser: does it show what the trace holds, and can everybody use it?"""

import html
import itertools
import re

import numpy as np
import pytest
from browser import unpacked

import scratchae as sae
from scratchae.presets import find_preset
from scratchae.study import trace
from scratchae.study.differences import TensorCheck
from scratchae.study.formula import Symbol
from scratchae.study.page import comparison, packing, page, write_page
from scratchae.study.tracing.steps import Tensor


def dense(sizes=(2, 2, 1, 2, 2)):
    layers = [
        layer
        for seed, (inputs, outputs) in enumerate(itertools.pairwise(sizes))
        for layer in (sae.Dense(inputs, outputs, rng=seed), sae.Sigmoid())
    ]
    half = len(layers) // 2
    return sae.Autoencoder(sae.Sequential(*layers[:half]), sae.Sequential(*layers[half:]), loss=sae.MSE())


def convolutional():
    down, up = {"stride": 2, "padding": 1}, {"stride": 2, "padding": 1, "output_padding": 1}
    encoder = sae.Sequential(sae.Conv2d(1, 3, 3, **down), sae.ReLU(), sae.BatchNorm(3))
    decoder = sae.Sequential(sae.ConvTranspose2d(3, 1, 3, **up, rng=1))
    return sae.Autoencoder(encoder, decoder, loss=sae.BCEWithLogits())


def variational():
    encoder = sae.Sequential(sae.Dense(49, 5, rng=1), sae.Tanh(), sae.Dropout(0.3))
    decoder = sae.Sequential(sae.Dense(2, 49, rng=2))
    return sae.VAE(encoder, sae.Dense(5, 2, rng=3), sae.Dense(5, 2, rng=4), decoder, loss=sae.BCEWithLogits())


def examples(*shape):
    return np.random.default_rng(0).random(shape)


TRACES = {
    "dense": lambda: trace(dense(), examples(1, 2)),
    "conv": lambda: trace(convolutional(), examples(2, 8, 8, 1)),
    "vae": lambda: trace(variational(), examples(3, 49), rng=0, optimizer=sae.Adam(0.01)),
}


@pytest.fixture(scope="module", params=TRACES)
def written(request, tmp_path_factory):
    """A trace, and the file of its page."""
    found = TRACES[request.param]()
    return found, write_page(found, tmp_path_factory.mktemp("page") / "page.html")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    found = TRACES["dense"]()
    return found, write_page(found, tmp_path_factory.mktemp("page") / "page.html")


def count(browsed):
    return browsed.inner_text("#count")


def heard(browsed, selector, pattern):
    """Waits until an element says something."""
    browsed.locator(selector, has_text=re.compile(f"^{pattern}")).wait_for(state="attached")


def indices(shape):
    """Some indices of an array: the corners, and a few drawn."""
    rng = np.random.default_rng(0)
    drawn = [tuple(int(rng.integers(size)) for size in shape) for _ in range(4)]
    return sorted({tuple(0 for _ in shape), tuple(size - 1 for size in shape), *drawn})


# What stands in it


def test_every_number_is_computed_as_the_trace_computes_it(written, browse):
    found, path = written
    browsed = browse(path)
    compute = """([number, index]) => {
        const step = trace.steps[number], variables = Object.fromEntries(index.map((i, axis) => [`i${axis}`, i]));
        const reading = new Reading(Object.fromEntries(Object.entries(step.names).map(([name, id]) => [name, tensors[id]])));
        const value = reading.value(step.recipe, variables) ?? 0;
        const cells = [...reading.cells].map(([name, flats]) => [name, [...flats].map((flat) => tensors[step.names[name]].index(flat))]);
        return [String(value), cells];
    }"""
    for number, step in enumerate(found):
        if step.cell((0,) * step.result.array.ndim) is None:
            continue  # drawn at random
        for index in indices(step.result.shape):
            value, cells = browsed.evaluate(compute, [number, list(index)])
            cell = step.cell(index)
            assert float(value) == pytest.approx(step.result.array[index], rel=1e-5, abs=1e-6), (step.text, index)
            read = {(name, tuple(place)) for name, places in cells for place in places}
            assert {(name, tuple(place)) for name, place in cell.operands} <= read, (step.text, index)


def test_every_step_shows_without_a_complaint(written, browse):
    found, path = written
    browsed = browse(path)
    for number, step in enumerate(found, 1):
        assert count(browsed) == f"{number} / {len(found)}"
        assert browsed.locator("#formula math").count() == 1
        assert browsed.locator("#result .map").count() == 1
        assert browsed.locator("#operands .map").count() == len({operand.tensor.key for operand in step.operands})
        assert browsed.locator("#diagram .current rect").count() == 1
        assert browsed.locator("#check").is_visible() == (step.check is not None)
        assert "✗" not in browsed.inner_text("main")
        browsed.keyboard.press("ArrowRight")


def test_pointing_at_a_number_shows_its_sum_and_marks_its_operands(tiny, browse):
    found, path = tiny
    browsed = browse(path)
    box = browsed.locator("#result canvas").first.bounding_box()
    browsed.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + box["height"] / 2)
    x, W, b = (operand.tensor.array for operand in found["a₁"].operands)
    total = x[0] @ W[:, 1] + b[1]
    assert browsed.get_attribute("#sum", "data-index") == "0,1"
    assert float(browsed.get_attribute("#sum", "data-value")) == pytest.approx(total, rel=1e-9)
    shown = browsed.inner_text("#sum .digits").replace("−", "-").replace("\xa0", " ")
    for number in (*x[0], *W[:, 1], total):
        assert f"{abs(number):.5g}" in shown, number
    assert "✓ agrees" in browsed.inner_text("#sum")
    assert browsed.inner_text("#tip").startswith("a₁[0, 1] = ")
    marked = browsed.evaluate("[...maps].map(([id, map]) => [id, [...map.marked].sort()])")
    assert dict(map(tuple, marked))["encoder.0.W"] == [1, 3]  # its second column
    assert dict(map(tuple, marked))["x"] == [0, 1]


def test_gradients_stand_beside_the_numerical_ones(tiny, browse):
    found, path = tiny
    step = found["∂L/∂W₁"]
    browsed = browse(path, anchor=f"#step={step.number}")
    assert "✓ Yes. All 4 numbers, compared" in browsed.inner_text("#comparison")
    cells = [[cell.replace("−", "-") for cell in row.inner_text().split("\t")] for row in browsed.locator("#comparison tbody tr").all()]  # fmt: skip
    assert [float(cell[1]) for cell in cells] == pytest.approx(step.result.array.ravel(), rel=1e-5)
    assert [float(cell[2]) for cell in cells] == pytest.approx(step.check.numeric.ravel(), rel=1e-5)


def test_the_source_is_shown_with_its_lines_marked(tiny, browse):
    found, path = tiny
    step = found["∂L/∂W₁"]
    browsed = browse(path, anchor=f"#step={step.number}")
    assert step.source.name in browsed.inner_text("#source figure:first-child figcaption")
    marked = browsed.locator("#source figure:first-child .used").all_inner_texts()
    assert [int(re.search(r"▸ (\d+)", line)[1]) for line in marked] == list(step.source.highlighted)
    assert "Dense.forward" in browsed.inner_text("#source figure:last-child figcaption")  # what is differentiated


def test_text_of_the_trace_is_never_markup():
    found = TRACES["dense"]()
    object.__setattr__(found, "title", "</title></script><script>alert(1)</script>{{data}}")
    object.__setattr__(found.steps[0], "note", "</script><img src=x onerror=alert(1)>")
    text = page(found)
    assert "<script>alert" not in text
    assert "<img" not in text
    assert text.count("</script>") == text.count("<script")
    data = unpacked(text)
    assert data["steps"][0]["about"] == "</script><img src=x onerror=alert(1)>."


# Walking


def test_keys_buttons_slider_map_and_address_walk(tiny, browse):
    found, path = tiny
    last, browsed = len(found), browse(path, anchor="#step=5")
    assert count(browsed) == f"5 / {last}"
    browsed.keyboard.press("ArrowRight")
    assert count(browsed) == f"6 / {last}"
    browsed.keyboard.press("ArrowLeft")
    browsed.keyboard.press("ArrowLeft")
    assert count(browsed) == f"4 / {last}"
    assert browsed.url.endswith("#step=4")
    browsed.keyboard.press("End")
    assert count(browsed) == f"{last} / {last}"
    assert browsed.get_attribute("#next", "aria-disabled") == "true"
    browsed.click("#previous")
    assert count(browsed) == f"{last - 1} / {last}"
    browsed.keyboard.press("Home")
    assert browsed.get_attribute("#previous", "aria-disabled") == "true"
    browsed.click("#next")
    assert count(browsed) == f"2 / {last}"
    browsed.focus("#slider")
    browsed.keyboard.press("ArrowRight")
    assert count(browsed) == f"3 / {last}"
    assert "Step 3 of" in browsed.get_attribute("#slider", "aria-valuetext")
    browsed.locator("#slider").fill("7")
    assert count(browsed) == f"7 / {last}"
    browsed.click("#fold summary")
    browsed.locator("#diagram .box", has_text="∂L/∂W₂").first.click()
    assert count(browsed) == f"{found['∂L/∂W₂'].number} / {last}"
    browsed.go_back()
    heard(browsed, "#count", f"7 / {last}")
    browsed.locator("#diagram .box", has_text="b₁").first.click()  # what is given is shown where it is first read
    assert browsed.evaluate("document.activeElement.ariaLabel").startswith("b₁, operand, 2.")
    browsed.evaluate("location.hash = '#step=2'")
    heard(browsed, "#count", f"2 / {last}")


def test_arrow_keys_in_a_heat_map_walk_through_its_numbers(tiny, browse):
    found, path = tiny
    browsed = browse(path)
    browsed.focus("#operands .tensor:nth-of-type(2) .map")
    browsed.keyboard.press("ArrowRight")
    browsed.keyboard.press("ArrowDown")
    assert count(browsed) == f"1 / {len(found)}"
    assert browsed.inner_text("#tip").startswith("W₁[1, 1] = ")
    heard(browsed, "#live", r"W₁\[1, 1\] = ")
    browsed.focus("#result .map")
    browsed.keyboard.press("ArrowRight")
    heard(browsed, "#live", r"a₁\[0, 1\] =\s.* · .* = ")  # the sum


def test_a_number_is_named_by_the_address(tiny, browse):
    browsed = browse(tiny[1], anchor="#step=1&at=0,1")
    assert browsed.get_attribute("#sum", "data-index") == "0,1"
    browsed.focus("#result .map")
    browsed.keyboard.press("Home")
    assert browsed.get_attribute("#sum", "data-index") == "0,0"
    browsed.keyboard.press("Escape")
    assert browsed.evaluate("document.activeElement.id") == "step" and browsed.locator("#tip").is_hidden()


def test_a_row_of_the_check_leads_to_its_number_and_back_to_where_one_was(tiny, browse):
    found, path = tiny
    browsed = browse(path, anchor=f"#step={found['∂L/∂W₂'].number}")
    browsed.wait_for_selector("#laboratory[data-state=open]")
    before = browsed.url
    browsed.locator("#comparison button", has_text="∂L/∂W₂[1, 0]").click()
    assert browsed.get_attribute("#sum", "data-index") == "1,0"
    assert browsed.evaluate("document.activeElement.ariaLabel").startswith("∂L/∂W₂, result")
    assert browsed.url == before + "&at=1,0"
    browsed.go_back()
    browsed.wait_for_url(before)


def test_a_finger_sees_small_numbers_by_a_loupe_that_stays(browse, tmp_path):
    path = write_page(trace(variational(), examples(3, 49), rng=0), tmp_path / "page.html")
    browsed = browse(path, width=390, height=844, has_touch=True, is_mobile=True)
    browsed.wait_for_selector("#laboratory[data-state=open]")
    box = browsed.locator("#operands .map").nth(1).bounding_box()
    browsed.touchscreen.tap(box["x"] + 20, box["y"] + 9)
    assert browsed.inner_text("#tip").startswith("W₁[") and browsed.locator("#tip canvas").is_visible()
    assert browsed.locator(".editor").is_visible()


def test_boxes_have_bars_of_the_norm_and_of_zeros(written, browse):
    found, path = written
    browsed = browse(path, height=1000)
    browsed.wait_for_selector("#laboratory[data-state=open]")
    browsed.wait_for_selector("#diagram .bar[d]", state="attached")
    for step in found:
        title = browsed.evaluate(
            "(id) => diagram.boxes.get(trace.standing[id] ?? id).title.textContent", step.result.key
        )
        array = found.tensors[browsed.evaluate("(id) => trace.standing[id] ?? id", step.result.key)].array
        norm, zeros = re.search(r"; norm (.*), (\d+)% zeros$", title).groups()
        assert "10" in norm or float(norm) == pytest.approx(np.linalg.norm(array), rel=0.01), title
        assert abs(int(zeros) - 100 * np.mean(array == 0)) <= 0.6, title
    width = "(id) => Number(/h(.*)/.exec(diagram.boxes.get(id).norm.getAttribute('d'))[1])"
    gradients = [step.result for step in found if step.phase == "backward" and step.result.key.endswith("dx")]
    if len(gradients) > 2:
        by_norm = sorted(gradients, key=lambda gradient: np.linalg.norm(gradient.array))
        assert browsed.evaluate(width, by_norm[0].key) < browsed.evaluate(width, by_norm[-1].key)


def test_a_label_stands_below_its_picture(browse, tmp_path):
    rng = np.random.default_rng(0)
    heads = sae.Dense(5, 2, rng=rng), sae.Dense(5, 2, rng=rng)
    encoder, decoder = (
        sae.Sequential(sae.Dense(52, 5, rng=rng), sae.ReLU()),
        sae.Sequential(sae.Dense(5, 49, rng=rng)),
    )
    model = sae.CVAE(encoder, *heads, decoder, labels=3, loss=sae.BCEWithLogits())
    x = np.hstack([examples(4, 49), np.eye(3)[[0, 1, 2, 0]]])
    browsed = browse(write_page(trace(model, x, rng=0, numerical=False), tmp_path / "page.html"))
    spot = "([id, flat]) => maps.get(id).spot(flat)"
    back = "([id, flat]) => maps.get(id).flatAt(...maps.get(id).spot(flat))"
    assert browsed.evaluate(spot, ["x", 52 + 50]) == [1, 0, 1, 7]  # of the second example the second label
    for id, size in (("x", x.size), ("encoder.0.W", 52 * 5)):
        assert all(browsed.evaluate(back, [id, flat]) == flat for flat in range(0, size, 7)), id
    assert browsed.evaluate("maps.get('x').flatAt(0, 0, 3, 7)") == -1  # there are three labels


def test_a_reason_stands_beside_the_formula_and_links_only_within_the_book(tiny, browse, tmp_path):
    found, path = tiny
    browsed = browse(path, anchor=f"#step={found['∂L/∂W₁'].number}")
    assert "so its gradient is that input times what is asked of its output" in browsed.inner_text("#about")
    assert browsed.locator("#about a").count() == 0
    place = tmp_path / "_static" / "study" / "page.html"
    place.parent.mkdir(parents=True)
    place.write_bytes(path.read_bytes())
    browsed = browse(place, anchor=f"#step={found['∂L/∂W₁'].number}")
    assert browsed.get_attribute("#about a", "href") == "../../02_backpropagation.html"


# For everybody


@pytest.mark.parametrize("dark", [False, True])
def test_text_is_plain_to_see(tiny, browse, dark):
    browsed = browse(tiny[1], dark=dark)
    assert browsed.evaluate("document.documentElement.dataset.theme") == ("dark" if dark else "light")
    ratios = """() => {
        const style = getComputedStyle(document.documentElement);
        const light = (name) => luminance(channels(style.getPropertyValue(name).trim().padEnd(7, "0")));
        const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
        const found = {};
        for (const ground of ["--ground", "--card"])
            for (const text of ["--ink", "--soft", "--forward", "--loss", "--backward", "--update", "--good", "--bad", "--keyword", "--string"])
                found[`${text} on ${ground}`] = ratio(text, ground);
        for (const text of ["--ink", "--keyword", "--string"]) found[`${text} on --mark`] = ratio(text, "--mark");
        for (const text of ["--ink", "--soft"]) found[`${text} on --faint`] = ratio(text, "--faint");
        return found;
    }"""
    weak = {pair: ratio for pair, ratio in browsed.evaluate(ratios).items() if ratio < 4.5}
    assert not weak


def test_light_and_dark_can_be_switched(tiny, browse):
    browsed = browse(tiny[1])
    ground = "getComputedStyle(document.body).backgroundColor"
    picture = "maps.get('x').below.toDataURL()"
    before = browsed.evaluate(ground), browsed.evaluate(picture)
    browsed.click("#theme")
    after = browsed.evaluate(ground), browsed.evaluate(picture)
    assert before[0] != after[0]
    assert before[1] != after[1]  # the heat maps too
    assert browsed.get_attribute("#theme", "aria-label") == "Switch to light colours"


def test_it_fits_a_phone(written, browse):
    found, path = written
    browsed = browse(path, width=360, height=740, has_touch=True, device_scale_factor=2)
    for _ in found:
        assert browsed.evaluate("document.documentElement.scrollWidth") == 360, count(browsed)
        browsed.keyboard.press("ArrowRight")


def test_whatever_can_be_used_has_a_name(tiny, browse):
    browsed = browse(tiny[1])
    nameless = browsed.evaluate("""() => [...document.querySelectorAll("button, input, [tabindex], [role], nav, summary")]
        .filter((element) => element.id !== "step" && element.id !== "live" && element.getAttribute("role") !== "alert")
        .filter((element) => !(element.getAttribute("aria-label") || element.getAttribute("aria-labelledby") || element.textContent.trim() || element.labels?.length))
        .map((element) => element.outerHTML.slice(0, 80))""")
    assert nameless == []


def test_no_motion_where_none_is_wanted(tiny, browse):
    moving = "getComputedStyle(document.querySelector('#diagram .box rect')).transitionDuration"
    assert browse(tiny[1], reduced_motion="reduce").evaluate(moving) == "0s"
    assert browse(tiny[1], reduced_motion="no-preference").evaluate(moving) != "0s"


def test_without_mathml_formulas_are_text(tiny, browse, tmp_path):
    text = tiny[1].read_text("utf-8").replace("<head>", "<head><script>delete window.MathMLElement</script>")
    (tmp_path / "page.html").write_text(text, "utf-8")
    browsed = browse(tmp_path / "page.html")
    assert browsed.inner_text("#formula") == tiny[0].steps[0].text
    assert browsed.inner_text("#operands .tensor:nth-of-type(2) .name") == "W₁"


def test_the_step_comes_first_on_a_low_screen_and_its_phase_is_named_on_a_narrow_one(tiny, browse):
    browsed = browse(tiny[1], width=1024, height=700)
    assert browsed.locator("#diagram").is_hidden()
    browsed = browse(tiny[1], width=320, height=700, has_touch=True)
    for step in tiny[0]:
        assert browsed.inner_text("#phases .current") == step.phase.capitalize()
        browsed.keyboard.press("PageDown")


def test_within_another_page_it_is_the_step_alone_in_the_colours_of_that_page(tiny, browse):
    browsed = browse(tiny[1], anchor="?embed#step=3")
    assert browsed.locator("header button").is_hidden() and browsed.locator("#diagram").is_hidden()
    assert count(browsed).startswith("3 /")
    browsed.evaluate("postMessage({ theme: 'dark' }, '*')")
    browsed.wait_for_selector("html[data-theme=dark]")


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (1024, 768), (512, 384)])  # the last: 1024 × 768 at 200 %
def test_operands_and_result_stand_in_one_row_and_are_seen_together(written, browse, width, height):
    found, path = written
    browsed = browse(path, width=width, height=height)
    browsed.wait_for_selector("#laboratory[data-state=open]")
    for step in found:
        boxes = [each.bounding_box() for each in browsed.locator("#row .map").all()]
        tops = {round(each.bounding_box()["y"]) for each in browsed.locator("#row .tensor").all()}
        assert len(tops) == 1 or width < 1024, step.text
        if step.number == 1:  # what is seen at first; the bar at the foot takes 80
            assert max(box["y"] + box["height"] for box in boxes) < height - 80, step.text
        signs = "".join(browsed.locator("#row .sign").all_inner_texts())
        assert signs.endswith("=" if step.formula.sign() == "=" else "→")
        browsed.keyboard.press("PageDown")


def test_gradients_have_one_scale_if_that_is_wanted(tiny, browse):
    found, path = tiny
    browsed = browse(path)
    assert browsed.locator("#one-scale").is_hidden()
    browsed.evaluate("show", found["∂L/∂W₁"].number - 1)
    largest = max(np.abs(step.result.array).max() for step in found if step.result.symbol.of)
    top = "maps.get(trace.steps[current].result).ends[1]"
    assert browsed.evaluate(top) == pytest.approx(np.abs(found["∂L/∂W₁"].result.array).max()) != largest
    browsed.check("#one-scale")
    assert browsed.evaluate(top) == pytest.approx(largest)


def test_numbers_stay_unfolded_and_can_be_copied_with_all_their_digits(tiny, browse):
    found, path = tiny
    browsed = browse(path, permissions=["clipboard-read", "clipboard-write"])
    browsed.click("#operands .tensor:nth-of-type(2) summary")
    browsed.click("text=Copy as np.array")
    browsed.locator("button", has_text="Copied").wait_for()
    copied = eval(browsed.evaluate("navigator.clipboard.readText()"), {"np": np})
    np.testing.assert_array_equal(copied, found["a₁"].operands[1].tensor.array)
    browsed.keyboard.press("PageDown")
    browsed.locator("#result .numbers").wait_for()


def test_what_is_drawn_small_is_seen_by_a_loupe(written, browse):
    browsed = browse(written[1])
    browsed.focus("#operands .map")
    browsed.keyboard.press("ArrowRight")
    small = browsed.evaluate("maps.get('x').cell.w < LOUPE")
    assert browsed.locator("#tip canvas").count() == int(small)


def test_the_pad_alone_is_shown_where_the_address_says_so(browse, tmp_path):
    decoder = sae.Sequential(sae.Dense(5, 49, rng=2), sae.Sigmoid())
    model = sae.Autoencoder(sae.Sequential(sae.Dense(49, 5, rng=1)), decoder, loss=sae.MSE())
    browsed = browse(trace(model, examples(2, 49)).html(tmp_path / "page.html"), anchor="?embed&draw")
    browsed.wait_for_selector("#laboratory[data-state=open]", state="attached")
    assert browsed.locator("#pad").is_visible()
    for part in ("main", "nav", ".transport", "#controls", "header button", "#agreement"):
        assert browsed.locator(part).is_hidden(), part


def test_within_a_notebook_it_opens_at_the_step_that_it_is_told_and_has_no_address(tiny, browse, tmp_path):
    text = tiny[1].read_text("utf-8").replace("<html", '<html data-anchor="#step=5"', 1)
    frame = f'<iframe width="900" height="700" srcdoc="{html.escape(text)}"></iframe>'
    (tmp_path / "page.html").write_text(f"<!doctype html><link rel=icon href='data:,'>{frame}", "utf-8")
    outer = browse(tmp_path / "page.html", whole=False)
    outer.locator("iframe").wait_for()
    framed = outer.frames[1]
    framed.wait_for_selector("#laboratory[data-state=open]")
    assert count(framed).startswith("5 /")
    framed.click("#next")
    assert count(framed).startswith("6 /")


# Large models


@pytest.mark.parametrize("name", ["deep", "conv", "science2006"])
def test_a_large_model_stays_small_as_a_page(tmp_path, name):
    preset = find_preset(name)
    found = trace(
        preset.build(np.random.default_rng(0)), examples(3, *preset.shape), numerical=False, optimizer=sae.Adam()
    )
    assert write_page(found, tmp_path / "page.html").stat().st_size < 5_000_000


def test_what_is_not_on_the_page_is_said(tmp_path, monkeypatch, browse):
    monkeypatch.setattr(packing, "BUDGET", 60_000)
    path = write_page(trace(dense((100, 80, 100)), examples(2, 100), numerical=False), tmp_path / "page.html")
    browsed = browse(path)
    assert "A sample: " in browsed.inner_text("#operands")
    assert "100 × 80 are on this page" in browsed.inner_text("#operands")
    assert "of the numbers are not on this page" in browsed.inner_text("#sum")


@pytest.mark.parametrize(
    ("backward", "kinks", "verdict", "said"),
    [
        ([1.0, 2.0], 0, "yes", "All 2 numbers, compared with central differences, "),
        ([1.0, 2.0], 2, "open", "All 2 numbers, and all at a kink, where there is no derivative to compare with."),
        ([1.0, np.nan], 0, "no", ": the gradient is NaN."),
    ],
)
def test_a_check_says_what_was_compared(backward, kinks, verdict, said):
    gradient, numeric = np.array(backward), np.array([1.0, 2.0])
    error = float(np.abs(gradient - numeric).max())
    check = TensorCheck("x", gradient, numeric, error, 2, kinks, error <= 1e-7)
    found = comparison(Tensor("dx", Symbol("x"), gradient, "gradient"), check)
    assert found["verdict"] == verdict and said in found["text"]
