"""`python -m pointsman.cli`, for where the script isn't on the path."""

import sys

from pointsman.cli import main

sys.exit(main())
