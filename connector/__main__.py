"""`python -m connector` is the `connector` command."""

import sys

from .cli import main

sys.exit(main())
