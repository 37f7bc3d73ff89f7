"""What holds for every test."""

import hypothesis

# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("warmcron", deadline=None, print_blob=True)
hypothesis.settings.load_profile("warmcron")
