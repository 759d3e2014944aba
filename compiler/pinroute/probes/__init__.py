"""Which requests are sent through a gateway, and what each of them has to meet. Pure.

`everybody` sends every user hash, for `try`; `survey` one for each block of user hashes,
its edges and odd headers, for `verify`; `tally` counts what came back.
"""
