"""A person's own code, in whatever style it is written, as something that a check can run.

A **reading** says how one piece of code is to be called. It is one of five things: a `Layer` (`layers/`), a `Loss` (`losses.py`), an
`Engine` (`engines.py`), an `Updating`, which takes steps (`optimizers/`), or a `Several`, a value of several arrays with its gradients
(`readings/`; `functions/`, `classes/` and `matrices.py` make them). Nothing here judges: `trials/` finds arguments, and compares.

How one is made: `text/` tells what may belong together, from names and from what is returned; `objects/` makes objects of small sizes, new
ones for each call, with the arrays of that call in them; then each way in which the code may be meant becomes a reading. One that is
called and does not give what it should raises `UnlikeError`, and the next is tried. Right is what is right in one reading.

    text/        names, what functions take and return, keys of dicts
    objects/     made, copied, new for each call; their arrays, gradients, modes; functions made by functions, as classes
    layers/      forward and backward of an object (`adapted`), two functions (`joined`), penalties in a backward
    readings/    `Several`; what returned arrays are called (`returned`) and belong to (`assigned`), two calls (`apart`)
    functions/   a value and its gradients in one function or `two`, in `three`, in `tables`, with the arrays of `scripts`
    classes/     the same as `methods`; whole `models`, also of one of `examples`; `steps` turned round; what is `descending` a loss
    optimizers/  how parameters are `handed` over; `updating`, `holding` them, `within` a layer; the `ways` to run one

The order (`tutorial/learner.py`, `tutorial/fallback.py`): an engine, a loss, a layer, an optimizer, a pair of methods. Where this cannot be
done, or leaves parameters unseen: a model, methods, steps and matrices, a network without a loss. Functions: two, one, three, tables. In
the end each method or function that gives gradients, and has not run.
"""
