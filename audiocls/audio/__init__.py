"""Sound in: data sets, decoding, the packed cache, batches, augmentation, features."""
