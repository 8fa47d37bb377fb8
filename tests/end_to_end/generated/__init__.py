"""Generates requests, among them broken HTTP, sends them as bytes, and checks every answer.

`composer` makes a mostly valid request to a route, and `broken_http` breaks it. `world` prepares the service that
the requests go to, `client` sends them, and `rules` checks the answers and the log.
"""
