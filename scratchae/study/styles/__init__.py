"""A person's own code, in whatever style it is written, as something that a gradient check can run.

`copies.py` copies an object, and makes what it draws repeatable. `names.py` finds out which gradient belongs to which parameter.
`calls.py` knows how a forward and a backward want to be called. `adapted.py` makes a layer of an object, `joined.py` an object of
two functions or methods that belong together, `losses.py` a loss `(prediction, target) -> (value, gradient)` of anything like one.
"""
