-- From here on statements, envelopes, manifests and bundles of certificates may be compressed (the store says
-- how): this version reads them so, and writes them as ever. A version later they are written so.

SELECT 1;
