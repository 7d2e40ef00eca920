"""What `scratchae check` asks of each exercise: a function of the learner's module, by the name of the file, in `CHECKS` of its chapter.

Each returns what it found right, a line each, or raises `AnswerError`. Gradients are compared with central
differences, values with the library's, which the tests of the library prove in turn.
"""
