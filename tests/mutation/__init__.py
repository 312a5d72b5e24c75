"""`make mutate`: change each rule of the decision a little, and see whether a test notices.

A mutant is one small change of one module of `decide/`. It is killed when a test fails, and
survives when all pass: then a rule is not held by any test, or the change makes no difference.
"""
