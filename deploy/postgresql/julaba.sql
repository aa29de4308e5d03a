-- PostgreSQL for Julaba, run once as its superuser:
--   psql -v ON_ERROR_STOP=1 -v password="'CHANGE-ME'" -f deploy/postgresql/julaba.sql
-- One role owns the tables and does everything, for migrations and the permit need it; it may do nothing else here.
CREATE ROLE julaba LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 40 PASSWORD :password;
CREATE DATABASE julaba OWNER julaba ENCODING 'UTF8' TEMPLATE template0;
-- Where each backup is restored once a day as a trial; it is emptied each time (BACKUP_SCRATCH_URL).
CREATE DATABASE julaba_scratch OWNER julaba ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE julaba, julaba_scratch FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE julaba, julaba_scratch TO julaba;
-- A permit that was given survives a power cut: this is the default, and must not be turned off for this role.
ALTER ROLE julaba SET synchronous_commit = 'on';
ALTER ROLE julaba SET timezone = 'UTC';

-- Somebody who only looks, such as a report: no password, no keys, no sessions.
CREATE ROLE julaba_reader LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT 5 PASSWORD NULL;
GRANT CONNECT ON DATABASE julaba TO julaba_reader;

\connect julaba
ALTER SCHEMA public OWNER TO julaba;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO julaba_reader;
\connect julaba_scratch
ALTER SCHEMA public OWNER TO julaba;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
