"""`python -m scorers.offline.label`."""

import sys

from scorers.offline.label.main import main

sys.exit(main())
