"""`make soak`: the agent between a real snmpd and the simulator, scraped all the time while
everything that can fail fails, and every answer held against what VPP has really counted.
"""
