"""Run the production decision under virtual time, on recorded or made load."""
