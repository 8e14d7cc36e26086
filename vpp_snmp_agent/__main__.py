"""python -m vpp_snmp_agent"""

import sys

from .cli import main

sys.exit(main())
