"""The hash chain, its Merkle tree, checkpoints, proofs and audit."""
