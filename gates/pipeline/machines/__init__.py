"""Work that is divided over several machines: parcels between jobs, parts of a holdout, artifacts of earlier jobs."""
