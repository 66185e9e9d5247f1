"""From a suite to a plan: plugins built, axes crossed, a reason for all that is left out."""
