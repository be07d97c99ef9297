"""Training: replicas, data order, optimizers, the LightningModule, evaluation, and the record of what happened."""
