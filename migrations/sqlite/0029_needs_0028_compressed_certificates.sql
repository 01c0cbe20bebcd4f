-- Statements, envelopes, manifests and bundles of certificates are written compressed, which versions before
-- number 28 cannot read.

SELECT 1;
