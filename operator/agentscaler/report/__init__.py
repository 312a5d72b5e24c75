"""What was decided and done, rendered for those who read it.

The status with its conditions, history and story, Events, metrics and log lines. Everything here
takes values and gives values: nothing is sent, no clock is read (the time is an argument) and no
cluster is known; `act` carries what is made here.
"""
