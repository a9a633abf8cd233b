"""f-GAN losses (Nowozin et al. 2016, arXiv:1606.00709), one class per divergence."""
