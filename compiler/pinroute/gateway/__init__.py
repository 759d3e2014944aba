"""A live gateway, asked over HTTP/1.1 or HTTPS: one request after the other, politely.

`address` says where it is, `client` asks, `inquiry` sends probes and reads the version
header, which is all that a reply says about the rule that took the request.
"""
