"""Real Envoy on this machine, for `try`, `verify` and the tests: the only room that starts processes.

`binary` finds Envoy, `server` runs one process with any number of listeners, `backend`
answers behind it, `client` asks in front of it, `jwt` signs tokens for it. Everything
listens on 127.0.0.1, on ports that the system chooses.
"""
