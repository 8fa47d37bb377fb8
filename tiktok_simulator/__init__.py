"""A simulated TikTok for tests, benchmarks and demos, served from one origin.

Both API hosts, both consent pages, the upload host and signed webhooks; `/_sim` controls them.
The simulator is written from TikTok's documentation and never imports `connector`, so that both cannot
share the same misunderstanding of TikTok. Public: `build_simulator`, `serve_application` (on a port), and the
state `application[STATE]`; the other names in `__all__` are types that users of the state need.
"""

from .api_call import STATE
from .app import build_simulator, serve_application
from .model import App, Grant
from .state import SimulatorState
from .token_registry import InvalidToken, TokenRegistry

__all__ = [
    "STATE",
    "App",
    "Grant",
    "InvalidToken",
    "SimulatorState",
    "TokenRegistry",
    "build_simulator",
    "serve_application",
]
