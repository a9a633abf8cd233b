"""What a training will take, and what is wrong with its data: `gan-train check=true`."""
