"""Four ways to make contrasts of a study's trials, each with its family.

    arms         each arm − its reference
    effects      main effects and interactions of factors, by `factorial` designs or by `context`
                 (add-one against leave-one-out); `layout` knows the level of each factor in an arm
    cross_study  an arm in one study − the same arm in another, and its effect there − here

Clips are contrasted in `analysis.clips`, by tests of recordings.
"""
