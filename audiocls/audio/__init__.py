"""Audio input: data sets, decoding, the pack, batches, augmentation, front ends."""
