"""A person's own code, in whatever style it is written, as something that a check can run.

A **reading** says how one piece of code is to be called. It is one of five things: a `Layer` (`layers/`), a `Loss` (`losses.py`), an
`Engine` (`engines.py`), an `Updating`, which takes steps (`optimizers/`), or a `Several`, a value of several arrays with its gradients
(`readings/`; `functions/`, `classes/` and `matrices.py` make them). Nothing here judges: `trials/` finds arguments, and compares.

How one is made: `text/` tells what may belong together, from names and from what is returned; `objects/` makes objects of small sizes, new
ones for each call, with the arrays of that call in them; then each way in which the code may be meant becomes a reading. One that is
called and does not give what it should raises `UnlikeError`, and the next is tried. Right is what is right in one reading.

    text/        names, what functions take and return, keys of dicts, `fields` of records, `sizes`
    objects/     made, `built`, copied, new for each call; their arrays, gradients, modes; functions made by functions, as classes
    layers/      forward and backward of an object (`adapted`), two functions (`joined`), penalties in a backward
    readings/    `Several`; what returned arrays are called (`returned`) and belong to (`assigned`), two calls (`apart`)
    functions/   a value and its gradients in one function or `two`, in `three`, in `tables`, of `factories`, of a step (`stepping`), with the
                 arrays of `scripts`, `helped` by objects; gradients whose value is `inside` the lines that calculate them
    classes/     the same as `methods`; whole `models`, also of one of `examples`; `steps` turned round; what is `descending` a loss;
                 `passes`, methods that are called in turn
    optimizers/  how parameters are `handed` over; `updating`, `holding` them, `within` a layer; the `ways` to run one

The order (`tutorial/learner.py`, `tutorial/fallback.py`). A class: engine, loss, layer, optimizer, pair of methods; where this cannot be done,
or leaves parameters unseen, model, methods, its own loss, a matrix, a usual loss. Functions: two by their names, one with its gradient,
tables; then three, one and two of several arrays, steps, matrices. In the end each that gives gradients, and has not run: in a pass, or inside.
"""
