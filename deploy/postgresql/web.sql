-- A role of its own for the web process, run once after julaba.sql, as PostgreSQL's superuser:
--   psql -v ON_ERROR_STOP=1 -v password="'CHANGE-ME'" -f deploy/postgresql/web.sql
-- It owns nothing. What it may read and write, `manage.py migrate` gives it, now and after each upgrade: every table but the
-- sealed keys of exchanges to read; sessions, accounts and what people ask for to write; nothing of orders, fills and books.
CREATE ROLE julaba_web LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 20 PASSWORD :password;
GRANT CONNECT ON DATABASE julaba TO julaba_web;
ALTER ROLE julaba_web SET synchronous_commit = 'on';
ALTER ROLE julaba_web SET timezone = 'UTC';

\connect julaba
GRANT USAGE ON SCHEMA public TO julaba_web;
