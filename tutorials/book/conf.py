"""Sphinx's settings for the book; `scratchae tutorial --book DIR` builds it."""

project = "Autoencoders from scratch"
author = "the authors of scratchae"
copyright = "the authors of scratchae"  # the name that Sphinx asks for
language = "en"
locale_dirs = ["locale"]  # translations: `sphinx-build -b gettext` makes the templates
gettext_compact = False
gettext_additional_targets = ["image"]

extensions = ["myst_nb", "sphinxcontrib.katex", "sphinx_copybutton"]
exclude_patterns = ["conf.py", "notebooks", "_static"]

nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = "force"
nb_execution_raise_on_error = True  # a failing assertion fails the build
nb_execution_in_temp = True
nb_execution_timeout = 900  # seconds for one cell, on a slow machine
nb_merge_streams = True
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
suppress_warnings = ["mystnb.unknown_mime_type"]

# Everything that a page needs lies beside it: the style sheet and the fonts of KaTeX are those of the release whose
# script comes with the extension
katex_css_path = "katex/katex.min.css"
katex_js_path = "katex.min.js"
katex_autorender_path = "auto-render.min.js"

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_show_sourcelink = False
html_copy_source = False
html_use_index = False
html_show_search_summary = False  # would fetch pages, which a browser refuses for files
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
copybutton_prompt_text = "$ "


def setup(app):
    # the study pages within chapters are told whether the book is light or dark
    app.add_js_file("study.js")
