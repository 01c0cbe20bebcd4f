-- Statements, envelopes, manifests and bundles of certificates are written compressed, which versions before
-- number 28 cannot read. Nothing is gained by trying to compress them once more.

ALTER TABLE certificates
    ALTER COLUMN statement SET STORAGE EXTERNAL,
    ALTER COLUMN envelope SET STORAGE EXTERNAL,
    ALTER COLUMN manifest SET STORAGE EXTERNAL,
    ALTER COLUMN bundle SET STORAGE EXTERNAL;
