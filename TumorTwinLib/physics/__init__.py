"""Growth physics on a voxel grid: finite-volume diffusion, exact reactions, time stepping. Knows no patient."""
