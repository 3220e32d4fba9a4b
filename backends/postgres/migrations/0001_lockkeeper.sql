-- +goose Up
-- +goose StatementBegin
--
-- The locks of lockkeeper in a database of PostgreSQL 14 or later. postgres.Migrate installs this
-- file; so does psql, goose or any other tool. For a schema of another name, replace the word
-- lockkeeper throughout.
--
-- TIME is in microseconds since 1970 by the server's clock_timestamp(), read when the row of the
-- name has been locked. No other clock counts.
--
-- ORDER OF LOCKS: rows of names in the order of their bytes, then rows of requests and clients. A
-- function that has a name locked waits for a row of a request only while a renewal by the same
-- client is being committed, and a renewal waits for nothing when it has one.
--
-- ISOLATION is READ COMMITTED: each statement has to see what the last owner of a row's lock has
-- committed. Under another level the functions raise LK002, and the client begins the transaction
-- by itself.
--
-- FLUSHING. A crash, or a failover, empties the unlogged table mark. The first call that finds it
-- empty fills it, and from then on nothing is granted for conf.pause. So the loss of a grant or a
-- renewal that lasts no longer than the pause does no harm, and it is committed without waiting for
-- the disk, as are places in a queue, releases and heartbeats. What lasts longer is flushed. A
-- crash ends every session, so each session looks once, and keeps the pause as a setting.
--
-- PLANS. These tables are often nearly empty when they are analyzed. A plan made then reads every
-- dead row for each call, hence SET enable_seqscan. A plan that has to read a whole table all the
-- same counts as so expensive that the server compiles it (jit), for a tenth of a second: so every
-- query has an index to use, hence WHERE one.
--
-- RIGHTS. A user needs USAGE on the schema and EXECUTE on its functions, and no right on a table.
-- The helpers, whose names begin with "_", run with the rights of the function that calls them.
CREATE SCHEMA IF NOT EXISTS lockkeeper;

CREATE TABLE lockkeeper.conf (
  one    boolean PRIMARY KEY DEFAULT true CHECK (one),
  format integer NOT NULL, -- of this schema
  pause  bigint  NOT NULL  -- after a crash; 0: every grant is flushed; sessions keep what they saw
);
INSERT INTO lockkeeper.conf (format, pause) VALUES (1, 5000000);

CREATE UNLOGGED TABLE lockkeeper.mark (one boolean PRIMARY KEY CHECK (one), until bigint NOT NULL);
INSERT INTO lockkeeper.mark VALUES (true, 0);

-- A name. It stays while it is out of use, until sweep sees that the clock is past its last token.
-- No column that changes is indexed, so updates are HOT: dead versions go when the page is next
-- read, without VACUUM.
CREATE TABLE lockkeeper.names (
  rid     bigint   NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
  name    bytea    NOT NULL PRIMARY KEY,
  kind    smallint NOT NULL DEFAULT 0,
  cap     bigint   NOT NULL DEFAULT 0,
  used    bigint   NOT NULL DEFAULT 0, -- permits of all grants
  waiting integer  NOT NULL DEFAULT 0, -- requests in the queue
  token   bigint   NOT NULL DEFAULT 0, -- the last one given out
  head    bigint   NOT NULL DEFAULT 0, -- place of the last request granted: grants <= head < waiters
  tail    bigint   NOT NULL DEFAULT 0, -- the last place given out
  due     bigint   NOT NULL DEFAULT 0, -- no grant is overdue before; early after a renewal
  loud    boolean  NOT NULL DEFAULT false -- some holder wants to hear that others wait
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0.05,
  autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

-- A request waits (token is null), holds, or must not take effect any more (place 0). A grant that
-- is detached has a seal, and the negative of its number: no call of its client finds it.
CREATE TABLE lockkeeper.requests (
  client   bigint  NOT NULL,
  id       bigint  NOT NULL,
  rid      bigint  NOT NULL,
  place    bigint  NOT NULL,
  weight   bigint  NOT NULL,
  tokens   integer NOT NULL,
  token    bigint,           -- the first of the grant
  deadline bigint,           -- of the grant
  keep     bigint  NOT NULL, -- how long a grant from the queue lasts at first
  since    bigint  NOT NULL,
  quiet    boolean NOT NULL, -- the holder need not hear that others wait
  tries    boolean NOT NULL, -- the holder wants to hear of tries
  owner    bytea   NOT NULL,
  least    bigint  NOT NULL, -- its permits stay taken until so long after since
  kept     boolean NOT NULL, -- the grant has ended, and its permits stay taken until the deadline
  seal     bytea,            -- of a detached grant: the SHA-256 of the proof
  PRIMARY KEY (client, id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05,
  autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX requests_place ON lockkeeper.requests (rid, place);

-- A client with waiters, and until when it counts as alive. The channel of its inbox is "lk_" and
-- its number in hexadecimal digits.
CREATE TABLE lockkeeper.clients (client bigint PRIMARY KEY, till bigint NOT NULL)
  WITH (fillfactor = 30);

-- format returns the version of this schema.
CREATE FUNCTION lockkeeper.format() RETURNS integer LANGUAGE sql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$ SELECT format FROM lockkeeper.conf WHERE one $$;

CREATE FUNCTION lockkeeper._us() RETURNS bigint LANGUAGE sql VOLATILE AS -- inlined
  $$ SELECT (date_part('epoch', clock_timestamp()) * 1e6::float8)::bigint $$;

-- _pause returns the pause, or null while nothing may be granted, because the server may have lost
-- what it has granted. Every function begins with it.
CREATE FUNCTION lockkeeper._pause() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  p bigint := nullif(current_setting('lockkeeper.pause', true), '')::bigint;
  t bigint := lockkeeper._us();
  u bigint;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'transaction isolation must be read committed' USING ERRCODE = 'LK002';
  END IF;
  IF p IS NOT NULL THEN RETURN p; END IF;
  SELECT until INTO u FROM lockkeeper.mark WHERE one;
  IF u IS NULL THEN
    INSERT INTO lockkeeper.mark SELECT true, t + pause FROM lockkeeper.conf WHERE one ON CONFLICT DO NOTHING;
    SELECT until INTO u FROM lockkeeper.mark WHERE one;
  END IF;
  IF u > t THEN -- a clock that was set back begins the pause anew, and does not prolong it
    UPDATE lockkeeper.mark m SET until = t + pause FROM lockkeeper.conf c WHERE m.one AND c.one AND until > t + pause;
    RETURN NULL;
  END IF;
  SELECT pause INTO p FROM lockkeeper.conf WHERE one;
  PERFORM set_config('lockkeeper.pause', p::text, false);
  RETURN p;
END $$;

-- _done sends messages, pairs of a client and a payload, and says whether the commit waits for the
-- disk: only for a grant that lasts longer than the pause. A NOTIFY holds a lock of the whole
-- cluster from here to the end of the commit, so it is well that grants from a queue are short.
-- While NOTIFY's queue is nearly full it sends nothing, for a full one makes the commit fail:
-- heartbeats find the grants.
CREATE FUNCTION lockkeeper._done(longest bigint, pause bigint, news text[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF longest = 0 OR longest <= pause THEN
    PERFORM set_config('synchronous_commit', 'off', true);
  ELSIF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  IF cardinality(news) > 0 AND pg_notification_queue_usage() < 0.9 THEN
    FOR i IN 1 .. cardinality(news) / 2 LOOP
      PERFORM pg_notify('lk_' || to_hex(news[2*i-1]::bigint), news[2*i]);
    END LOOP;
  END IF;
END $$;

-- _save writes the name whose row is locked at t: a search would read its dead versions once more.
CREATE FUNCTION lockkeeper._save(t tid, s lockkeeper.names) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE lockkeeper.names SET kind = s.kind, cap = s.cap, used = s.used, waiting = s.waiting,
    token = s.token, head = s.head, tail = s.tail, due = s.due, loud = s.loud WHERE ctid = t;
END $$;

-- _expire ends what is overdue, or has it kept. A grant that a transaction has in check lasts until that has ended.
CREATE FUNCTION lockkeeper._expire(INOUT s lockkeeper.names, at bigint) LANGUAGE plpgsql AS $$
DECLARE late bigint;
BEGIN
  UPDATE lockkeeper.requests SET kept = true, deadline = since + least
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM lockkeeper.requests WHERE rid = s.rid
      AND place BETWEEN 1 AND s.head AND deadline <= at AND since + least > at FOR UPDATE SKIP LOCKED));
  DELETE FROM lockkeeper.requests WHERE ctid = ANY (ARRAY(SELECT ctid FROM lockkeeper.requests
    WHERE rid = s.rid AND place BETWEEN 1 AND s.head AND deadline <= at AND since + least <= at
    FOR UPDATE SKIP LOCKED));
  SELECT coalesce(sum(weight), 0), min(deadline) INTO s.used, late
    FROM lockkeeper.requests WHERE rid = s.rid AND place BETWEEN 1 AND s.head;
  s.due := CASE WHEN late <= at THEN at + 50000 ELSE coalesce(late, 0) END;
END $$;

-- _pump lets the queue move up. The process of a waiter whose time as alive has passed is dead.
CREATE FUNCTION lockkeeper._pump(INOUT s lockkeeper.names, at bigint, INOUT news text[],
  INOUT longest bigint) LANGUAGE plpgsql AS $$
DECLARE
  w record;
  texts text[] := '{}';
  whose bigint[] := '{}';
BEGIN
  WHILE s.waiting > 0 AND s.used < s.cap LOOP
    SELECT q.client, q.id, q.place, q.weight, q.tokens, q.keep, q.quiet, q.least,
        coalesce(c.till, 0) AS till INTO w
      FROM lockkeeper.requests q LEFT JOIN lockkeeper.clients c USING (client)
      WHERE q.rid = s.rid AND q.place > s.head ORDER BY q.place LIMIT 1;
    IF NOT FOUND THEN
      s.waiting := 0;
      EXIT;
    END IF;
    IF w.till <= at THEN
      DELETE FROM lockkeeper.requests WHERE client = w.client AND id = w.id;
      s.waiting := s.waiting - 1;
      CONTINUE;
    END IF;
    EXIT WHEN s.used + w.weight > s.cap;
    s.token := greatest(s.token, at - 1) + w.tokens;
    UPDATE lockkeeper.requests SET token = s.token - w.tokens + 1, deadline = at + w.keep, since = at
      WHERE client = w.client AND id = w.id;
    s.due := CASE WHEN s.used = 0 THEN at + w.keep ELSE least(s.due, at + w.keep) END;
    s.loud := s.loud AND s.used > 0 OR NOT w.quiet;
    s.used := s.used + w.weight;
    s.head := w.place;
    s.waiting := s.waiting - 1;
    longest := greatest(longest, w.keep, w.least);
    texts := texts || ('g' || w.id || ':' || (s.token - w.tokens + 1) || ':' || at || ':');
    whose := whose || w.client;
  END LOOP;
  FOR i IN 1 .. cardinality(whose) LOOP -- only now is it known who still waits
    news := news || whose[i]::text
      || (texts[i] || CASE WHEN lockkeeper._others(s, whose[i]) THEN '1' ELSE '0' END);
  END LOOP;
END $$;

-- _others says whether another client waits.
CREATE FUNCTION lockkeeper._others(s lockkeeper.names, p_client bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  RETURN s.waiting > 0 AND EXISTS (SELECT FROM lockkeeper.requests
    WHERE rid = s.rid AND place > s.head AND client <> p_client);
END $$;

-- _tell returns the news for holders of other clients: "c", another client waits, or "t", one has
-- tried.
CREATE FUNCTION lockkeeper._tell(s lockkeeper.names, p_client bigint, what text) RETURNS text[]
LANGUAGE sql AS $$
  SELECT coalesce(array_agg(l.v ORDER BY h.place, l.o), '{}')
  FROM lockkeeper.requests h,
    LATERAL (VALUES (1, h.client::text), (2, what || h.id)) AS l(o, v)
  WHERE h.rid = s.rid AND h.place BETWEEN 1 AND s.head AND h.client <> p_client
    AND NOT h.kept AND h.seal IS NULL AND CASE what WHEN 'c' THEN NOT h.quiet WHEN 't' THEN h.tries ELSE true END
$$;

-- _end takes out whatever a request has; without p_free the permits of a grant may stay taken, and
-- what is kept already is nobody's to release. Code 1: it was granted, 2: it waited, 0: it had
-- nothing.
CREATE FUNCTION lockkeeper._end(INOUT s lockkeeper.names, p_client bigint, p_id bigint, at bigint,
  p_free boolean, OUT code bigint) LANGUAGE plpgsql AS $$
DECLARE
  q lockkeeper.requests;
  t tid;
BEGIN
  code := 0;
  FOR i IN 1 .. 2 LOOP
    -- The "+ 0" keeps the planner from the index of places, which has dead entries by the thousand.
    SELECT ctid INTO t FROM lockkeeper.requests WHERE client = p_client AND id = p_id
      AND rid + 0 = s.rid AND place + 0 > 0 AND (p_free OR NOT kept) FOR UPDATE SKIP LOCKED;
    IF FOUND THEN
      IF NOT p_free THEN
        UPDATE lockkeeper.requests SET kept = true, deadline = since + least
          WHERE ctid = t AND token IS NOT NULL AND since + least > at RETURNING * INTO q;
        IF FOUND THEN
          s.due := least(s.due, q.deadline);
          code := 1;
          RETURN;
        END IF;
      END IF;
      DELETE FROM lockkeeper.requests WHERE ctid = t RETURNING * INTO q;
      IF q.token IS NOT NULL THEN
        s.used := s.used - q.weight;
        code := 1;
      ELSE
        s.waiting := s.waiting - 1;
        code := 2;
      END IF;
      RETURN;
    END IF;
    -- It is not there, or locked: by a renewal, for whose commit this waits, or by check.
    UPDATE lockkeeper.requests SET deadline = least(deadline, at),
        least = CASE WHEN p_free THEN 0 ELSE least END
      WHERE client = p_client AND id = p_id AND rid + 0 = s.rid AND token IS NOT NULL
        AND (p_free OR NOT kept);
    IF NOT FOUND THEN RETURN; END IF;
  END LOOP;
  s.due := at + 50000; -- overdue from now on, and ends with that transaction
  code := 1;
END $$;

-- _forbid lets a late copy of a request have no effect.
CREATE FUNCTION lockkeeper._forbid(p_client bigint, p_id bigint, at bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO lockkeeper.requests VALUES (p_client, p_id, 0, 0, 0, 0, NULL, at + 60000000, 0, at, true,
    false, '', 0, false) ON CONFLICT DO NOTHING;
END $$;

-- _holders tells of the requests of a name with places in a range. rest is for how long a grant lasts
-- from now, or a waiter counts as alive. over: the grant has ended, and its permits stay taken.
CREATE FUNCTION lockkeeper._holders(p_rid bigint, p_first bigint, p_last bigint, at bigint)
RETURNS TABLE (place bigint, client bigint, id bigint, weight bigint, token bigint, since bigint,
  rest bigint, over boolean, detached boolean, owner bytea)
LANGUAGE sql STABLE AS $$ -- inlined
  SELECT q.place, q.client, abs(q.id), q.weight, q.token, q.since, CASE WHEN q.token IS NULL THEN c.till
      WHEN o.over THEN q.since + q.least ELSE q.deadline END - at, o.over, q.seal IS NOT NULL, q.owner
    FROM lockkeeper.requests q LEFT JOIN lockkeeper.clients c USING (client),
      LATERAL (SELECT q.kept OR q.deadline <= at AS over) o
    WHERE q.rid = p_rid AND q.place BETWEEN p_first AND p_last
$$;

-- op releases, and then requests, all in one step. Repeated, it has the same result: a request that
-- was granted has the same token, and its whole life again; one that waits has the same place.
--
--   p_alive           for how long the client counts as alive from now, if it waits
--   p_wait            false: a try
--   p_names           in the order of their bytes, each once
--   p_releases        for each: which name, id, flags (1 a late copy of its request is to be
--                     refused, 2 no permits stay taken)
--   p_requests        for each: which name, id, kind, capacity, weight, tokens, life, keep,
--                     flags (1 quiet, 2 tries), least; life is how long a grant lasts made now
--   p_owners          of each request
--
-- Returns the time; for each release the code of _end; for each request four numbers:
--   1, token, whether others wait, 0     granted
--   2, 1 if it is new, due, 0            queued; due is when the next grant may be overdue, or 0
--   0 busy    3 given up    4 not made, because of another one    5 nothing is granted yet
--   -1, kind, capacity                   in use in another way
-- and, if a name is busy that somebody holds, what list says of a holder, and the owner of it: which
-- request, client, id, weight, token, since, rest, flags (1 kept, 2 detached).
CREATE FUNCTION lockkeeper.op(p_client bigint, p_alive bigint, p_wait boolean,
  p_names bytea[], p_releases bigint[], p_requests bigint[], p_owners bytea[],
  OUT answer bigint[], OUT owner bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
  pause bigint := lockkeeper._pause();
  ns lockkeeper.names[];
  was lockkeeper.names[];
  ts tid[]; -- where they are
  s lockkeeper.names;
  q lockkeeper.requests;
  z record;
  at bigint;
  k integer;
  codes bigint[] := '{}';
  who bigint[];
  idle boolean := false;
  queued boolean := false;
  longest bigint := 0;
  news text[] := '{}';
  life bigint;
  first bigint;
  make boolean := cardinality(p_requests) > 0;
BEGIN
  FOR j IN 1 .. cardinality(p_releases) / 3 LOOP
    make := make OR p_releases[3*j] & 1 > 0;
  END LOOP;
  FOR i IN 1 .. cardinality(p_names) LOOP
    LOOP
      SELECT m.ctid AS t, m AS s INTO z FROM lockkeeper.names m WHERE m.name = p_names[i] FOR NO KEY UPDATE;
      EXIT WHEN FOUND OR NOT make;
      INSERT INTO lockkeeper.names (name) VALUES (p_names[i]) ON CONFLICT DO NOTHING;
    END LOOP;
    ns[i] := z.s;
    ts[i] := z.t;
  END LOOP;
  was := ns;
  at := lockkeeper._us();
  answer := ARRAY[at];

  FOR i IN 1 .. cardinality(p_names) LOOP
    s := ns[i];
    IF s.used > 0 AND s.due <= at THEN
      ns[i] := lockkeeper._expire(s, at);
    END IF;
  END LOOP;
  FOR j IN 0 .. cardinality(p_releases) / 3 - 1 LOOP
    s := ns[p_releases[3*j+1]];
    IF s.rid IS NULL THEN
      answer := answer || 0::bigint;
      CONTINUE;
    END IF;
    z := lockkeeper._end(s, p_client, p_releases[3*j+2], at, p_releases[3*j+3] & 2 > 0);
    ns[p_releases[3*j+1]] := z.s;
    answer := answer || z.code;
    IF p_releases[3*j+3] & 1 > 0 THEN
      PERFORM lockkeeper._forbid(p_client, p_releases[3*j+2], at);
    END IF;
  END LOOP;
  FOR i IN 1 .. cardinality(p_names) LOOP
    s := ns[i];
    IF s.waiting > 0 AND s.used < s.cap AND pause IS NOT NULL THEN
      z := lockkeeper._pump(s, at, news, longest);
      ns[i] := z.s;
      news := z.news;
      longest := z.longest;
    END IF;
  END LOOP;

  FOR j IN 0 .. cardinality(p_requests) / 10 - 1 LOOP
    k := 10 * j;
    s := ns[p_requests[k+1]];
    SELECT * INTO q FROM lockkeeper.requests WHERE client = p_client AND id = p_requests[k+2];
    codes[j] := CASE
      WHEN q.place = 0 OR q.kept OR q.rid <> s.rid THEN 3
      WHEN q.token IS NOT NULL THEN 1
      WHEN q.place > 0 THEN 2
      WHEN (s.used > 0 OR s.waiting > 0) AND (s.kind <> p_requests[k+3] OR s.cap <> p_requests[k+4])
        THEN -1
      WHEN s.waiting = 0 AND s.used + p_requests[k+5] <= p_requests[k+4] AND pause IS NOT NULL THEN 6
      WHEN p_wait THEN 7
      WHEN pause IS NULL THEN 5
      ELSE 0 END;
    idle := idle OR codes[j] IN (3, -1, 5, 0);
    IF codes[j] = 0 THEN
      news := news || lockkeeper._tell(s, p_client, 't');
      IF who IS NULL THEN
        SELECT ARRAY[j, h.client, h.id, h.weight, h.token, h.since, h.rest,
            h.over::integer + 2 * h.detached::integer], h.owner INTO who, owner
          FROM lockkeeper._holders(s.rid, 1, s.head, at) h WHERE h.rest > 0 ORDER BY h.place LIMIT 1;
      END IF;
    END IF;
  END LOOP;

  FOR j IN 0 .. cardinality(p_requests) / 10 - 1 LOOP
    k := 10 * j;
    s := ns[p_requests[k+1]];
    life := p_requests[k+7];
    IF codes[j] = -1 THEN
      answer := answer || ARRAY[-1, s.kind, s.cap, 0];
    ELSIF idle THEN
      answer := answer || ARRAY[CASE WHEN codes[j] IN (3, 5, 0) THEN codes[j] ELSE 4 END, 0, 0, 0];
    ELSIF codes[j] = 1 THEN
      UPDATE lockkeeper.requests SET deadline = greatest(deadline, at + life)
        WHERE client = p_client AND id = p_requests[k+2] RETURNING token INTO first;
      longest := greatest(longest, life);
      answer := answer || ARRAY[1, first, lockkeeper._others(s, p_client)::integer, 0];
    ELSIF codes[j] = 2 THEN
      queued := true;
      answer := answer || ARRAY[2, 0, s.due, 0];
    ELSE
      IF codes[j] = 7 AND s.loud AND s.used > 0 AND NOT EXISTS (SELECT FROM lockkeeper.requests
          WHERE rid = s.rid AND place > s.head AND client = p_client) THEN
        news := news || lockkeeper._tell(s, p_client, 'c');
      END IF;
      s.kind := p_requests[k+3];
      s.cap := p_requests[k+4];
      s.tail := s.tail + 1;
      IF codes[j] = 6 THEN
        s.token := greatest(s.token, at - 1) + p_requests[k+6];
        first := s.token - p_requests[k+6] + 1;
        s.due := CASE WHEN s.used = 0 THEN at + life ELSE least(s.due, at + life) END;
        s.loud := s.loud AND s.used > 0 OR p_requests[k+9] & 1 = 0;
        s.used := s.used + p_requests[k+5];
        s.head := s.tail;
        longest := greatest(longest, life, p_requests[k+10]);
        answer := answer || ARRAY[1, first, 0, 0];
      ELSE
        first := NULL;
        s.waiting := s.waiting + 1;
        queued := true;
        answer := answer || ARRAY[2, 1, s.due, 0];
      END IF;
      INSERT INTO lockkeeper.requests VALUES (p_client, p_requests[k+2], s.rid, s.tail,
        p_requests[k+5], p_requests[k+6], first, CASE WHEN codes[j] = 6 THEN at + life END,
        p_requests[k+8], at, p_requests[k+9] & 1 > 0, p_requests[k+9] & 2 > 0, p_owners[j+1],
        p_requests[k+10], false);
      ns[p_requests[k+1]] := s;
    END IF;
  END LOOP;

  IF queued THEN
    PERFORM lockkeeper._alive(p_client, at, p_alive);
  END IF;
  FOR i IN 1 .. cardinality(p_names) LOOP
    IF ns[i] IS DISTINCT FROM was[i] THEN
      PERFORM lockkeeper._save(ts[i], ns[i]);
    END IF;
  END LOOP;
  PERFORM lockkeeper._done(longest, pause, news);
  answer := answer || who;
END $$;

-- take is op for a request of one name that waits if it has to. A name that nobody uses is taken by a
-- statement for each table; all else is left to op, which has the same answers.
CREATE FUNCTION lockkeeper.take(p_client bigint, p_alive bigint, p_name bytea, p_id bigint,
  p_kind bigint, p_cap bigint, p_weight bigint, p_tokens bigint, p_life bigint, p_keep bigint,
  p_flags bigint, p_least bigint, p_owner bytea) RETURNS bigint[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
  pause bigint := nullif(current_setting('lockkeeper.pause', true), '')::bigint; -- see _pause
  t tid;
  n_rid bigint;
  n_used bigint;
  n_waiting integer;
  n_token bigint;
  n_tail bigint;
  at bigint;
  first bigint;
  set text;
BEGIN
  IF pause IS NOT NULL AND current_setting('transaction_isolation') = 'read committed' THEN
    SELECT ctid, rid, used, waiting, token, tail INTO t, n_rid, n_used, n_waiting, n_token, n_tail
      FROM lockkeeper.names WHERE name = p_name FOR NO KEY UPDATE;
    IF n_used = 0 AND n_waiting = 0 THEN
      at := lockkeeper._us();
      first := greatest(n_token, at - 1) + 1;
      INSERT INTO lockkeeper.requests VALUES (p_client, p_id, n_rid, n_tail + 1, p_weight, p_tokens,
        first, at + p_life, p_keep, at, p_flags & 1 > 0, p_flags & 2 > 0, p_owner, p_least, false)
        ON CONFLICT DO NOTHING; -- then it is not its first copy
      IF FOUND THEN
        UPDATE lockkeeper.names SET kind = p_kind, cap = p_cap, used = p_weight,
          token = first + p_tokens - 1, head = n_tail + 1, tail = n_tail + 1, due = at + p_life,
          loud = p_flags & 1 = 0 WHERE ctid = t;
        IF greatest(p_life, p_least) <= pause THEN -- see _done
          set := set_config('synchronous_commit', 'off', true);
        ELSIF current_setting('synchronous_commit') = 'off' THEN
          set := set_config('synchronous_commit', 'on', true);
        END IF;
        RETURN ARRAY[at, 1, first, 0, 0];
      END IF;
    END IF;
  END IF;
  RETURN (SELECT o.answer FROM lockkeeper.op(p_client, p_alive, true, ARRAY[p_name], '{}', ARRAY[1, p_id,
    p_kind, p_cap, p_weight, p_tokens, p_life, p_keep, p_flags, p_least], ARRAY[p_owner]) o);
END $$;

-- give is op for a release of one name. A grant that nobody waits for, and that nobody has locked, is
-- given back by a statement for each table. One that holds all that is used, while the first waiter
-- wants the whole name and is alive, is handed over by two for each. All else is left to op.
CREATE FUNCTION lockkeeper.give(p_client bigint, p_name bytea, p_id bigint, p_flags bigint)
RETURNS bigint[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
  pause bigint := nullif(current_setting('lockkeeper.pause', true), '')::bigint; -- see _pause
  n record;
  w record;
  fits boolean := true;
  at bigint;
  freed bigint;
  last bigint;
  set text;
BEGIN
  IF pause IS NOT NULL AND p_flags & 1 = 0
    AND current_setting('transaction_isolation') = 'read committed' THEN
    SELECT ctid, rid, cap, used, waiting, token, head, due INTO n
      FROM lockkeeper.names WHERE name = p_name FOR NO KEY UPDATE;
    at := lockkeeper._us();
    IF n.waiting > 0 THEN
      SELECT q.ctid, q.client, q.id, q.place, q.tokens, q.keep, q.quiet, q.least,
          q.weight = n.cap AND c.till > at AS fits INTO w
        FROM lockkeeper.requests q LEFT JOIN lockkeeper.clients c USING (client)
        WHERE q.rid = n.rid AND q.place > n.head ORDER BY q.place LIMIT 1;
      fits := w.fits;
    END IF;
    IF fits AND n.due > at THEN
      DELETE FROM lockkeeper.requests WHERE ctid = (SELECT ctid FROM lockkeeper.requests
        WHERE client = p_client AND id = p_id AND rid + 0 = n.rid AND token IS NOT NULL
          AND (n.waiting = 0 OR weight = n.used)
          AND (p_flags & 2 > 0 OR NOT kept AND since + least <= at) FOR UPDATE SKIP LOCKED)
        RETURNING weight INTO freed;
      IF FOUND AND n.waiting = 0 THEN
        UPDATE lockkeeper.names SET used = used - freed WHERE ctid = n.ctid;
        set := set_config('synchronous_commit', 'off', true);
        RETURN ARRAY[at, 1];
      ELSIF FOUND THEN -- see _pump
        last := greatest(n.token, at - 1) + w.tokens;
        UPDATE lockkeeper.requests SET token = last - w.tokens + 1, deadline = at + w.keep, since = at
          WHERE ctid = w.ctid;
        UPDATE lockkeeper.names SET used = cap, waiting = waiting - 1, token = last, head = w.place,
          due = at + w.keep, loud = NOT w.quiet WHERE ctid = n.ctid;
        PERFORM lockkeeper._done(greatest(w.keep, w.least), pause, ARRAY[w.client::text,
          'g' || w.id || ':' || (last - w.tokens + 1) || ':' || at || ':' || CASE WHEN n.waiting > 1
            AND EXISTS (SELECT FROM lockkeeper.requests WHERE rid = n.rid AND place > w.place
              AND client <> w.client) THEN '1' ELSE '0' END]);
        RETURN ARRAY[at, 1];
      END IF;
    END IF;
  END IF;
  RETURN (SELECT o.answer FROM lockkeeper.op(p_client, 0, false, ARRAY[p_name],
    ARRAY[1, p_id, p_flags], '{}', '{}') o);
END $$;

-- _alive notes that a client counts as alive for p_alive from now.
CREATE FUNCTION lockkeeper._alive(p_client bigint, at bigint, p_alive bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO lockkeeper.clients AS c VALUES (p_client, at + p_alive)
    ON CONFLICT (client) DO UPDATE SET till = excluded.till WHERE c.till < at + p_alive * 3 / 4;
END $$;

-- renew prolongs grants of one client, whatever their names, in one statement and one flush. Where
-- more tokens are wanted the names are locked first, in order; otherwise it waits for nobody. What
-- another session is ending just now is left out. A life of 0 only asks.
--
-- Returns for each: 1 renewed, 0 ended, 2 unknown (ask again); whether others wait; the first of
-- the new tokens.
CREATE FUNCTION lockkeeper.renew(p_client bigint, p_names bytea[],
  p_ids bigint[], p_lives bigint[], p_tokens bigint[]) RETURNS bigint[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
  pause bigint := lockkeeper._pause();
  longest bigint;
  at bigint;
  answer bigint[];
BEGIN
  IF 0 < ANY (p_tokens) THEN
    PERFORM FROM lockkeeper.names WHERE name IN (SELECT x.name FROM unnest(p_names, p_tokens)
      AS x(name, tokens) WHERE x.tokens > 0) ORDER BY name FOR NO KEY UPDATE;
  END IF;
  at := lockkeeper._us();
  WITH mine AS MATERIALIZED (
    SELECT q.id, x.life, x.tokens
    FROM unnest(p_ids, p_lives, p_tokens) AS x(id, life, tokens)
      JOIN lockkeeper.requests q ON q.client = p_client AND q.id = x.id
    WHERE q.token IS NOT NULL AND q.deadline > at AND NOT q.kept ORDER BY q.id
    FOR NO KEY UPDATE OF q SKIP LOCKED),
  done AS (
    UPDATE lockkeeper.requests q SET deadline = greatest(q.deadline, at + m.life) FROM mine m
    WHERE q.client = p_client AND q.id = m.id RETURNING q.id, q.rid, m.life, m.tokens),
  minted AS (
    UPDATE lockkeeper.names n SET token = greatest(n.token, at - 1) + d.tokens FROM done d
    WHERE n.rid = d.rid AND d.tokens > 0 RETURNING d.id, n.token - d.tokens + 1 AS first),
  row AS (
    SELECT x.o, d.life, ARRAY[CASE WHEN d.id IS NOT NULL THEN 1 WHEN q.deadline > at THEN 2 ELSE 0 END,
      CASE WHEN d.id IS NOT NULL AND n.waiting > 0 AND EXISTS (SELECT FROM lockkeeper.requests w
        WHERE w.rid = d.rid AND w.place > n.head AND w.client <> p_client) THEN 1 ELSE 0 END,
      coalesce(m.first, 0)] AS r
    FROM unnest(p_ids) WITH ORDINALITY AS x(id, o)
      LEFT JOIN done d ON d.id = x.id
      LEFT JOIN minted m ON m.id = x.id
      LEFT JOIN lockkeeper.names n ON n.rid = d.rid
      LEFT JOIN lockkeeper.requests q ON q.client = p_client AND q.id = x.id AND q.token IS NOT NULL
        AND NOT q.kept)
  SELECT array_agg(v ORDER BY o, p), coalesce(max(life), 0) INTO answer, longest
    FROM row, unnest(r) WITH ORDINALITY AS u(v, p);
  PERFORM lockkeeper._done(longest, pause, '{}');
  RETURN answer;
END $$;

-- heartbeat says that a client with waiters is alive, and lets the queues in which it waits move up.
-- With heartbeats alone everything works, only later. A name that another session has locked is
-- left out: that session moves its queue up.
--
-- Returns the time; when the next grant may be overdue, or 0; and of each request that does not
-- wait any more: id, token, when it was granted, 1 if others wait; or id, 0, 0, 0 if it is unknown.
CREATE FUNCTION lockkeeper.heartbeat(p_client bigint, p_alive bigint, p_ids bigint[])
RETURNS bigint[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
  pause bigint := lockkeeper._pause();
  now bigint := lockkeeper._us();
  at bigint;
  t tid;
  k record;
  s lockkeeper.names;
  z record;
  next bigint := 0;
  longest bigint := 0;
  news text[] := '{}';
  answer bigint[];
BEGIN
  PERFORM lockkeeper._alive(p_client, now, p_alive);
  FOR k IN SELECT n.rid, n.due, n.used, n.cap FROM lockkeeper.names n
      WHERE n.waiting > 0 AND n.rid IN (SELECT q.rid FROM lockkeeper.requests q
        WHERE q.client = p_client AND q.id = ANY (p_ids) AND q.token IS NULL AND q.place > 0)
      ORDER BY n.name LOOP
    IF pause IS NULL THEN
      SELECT until INTO next FROM lockkeeper.mark WHERE one;
    ELSIF k.used > 0 AND k.due > now THEN
      next := CASE WHEN next = 0 THEN k.due ELSE least(next, k.due) END;
    END IF;
    CONTINUE WHEN pause IS NULL OR k.due > now AND k.used = k.cap;
    SELECT m.ctid AS t, m AS s INTO z FROM lockkeeper.names m WHERE m.rid = k.rid FOR NO KEY UPDATE SKIP LOCKED;
    CONTINUE WHEN NOT FOUND;
    t := z.t;
    s := z.s;
    at := lockkeeper._us();
    IF s.used > 0 AND s.due <= at THEN
      s := lockkeeper._expire(s, at);
    END IF;
    z := lockkeeper._pump(s, at, news, longest);
    news := z.news;
    longest := z.longest;
    PERFORM lockkeeper._save(t, z.s);
    s := z.s;
    IF s.used > 0 THEN
      next := CASE WHEN next = 0 THEN s.due ELSE least(next, s.due) END;
    END IF;
  END LOOP;
  SELECT array_agg(v ORDER BY u.o, p) INTO answer
    FROM unnest(p_ids) WITH ORDINALITY AS u(id, o)
      LEFT JOIN lockkeeper.requests q ON q.client = p_client AND q.id = u.id AND q.place > 0 AND NOT q.kept
      LEFT JOIN lockkeeper.names n ON n.rid = q.rid AND q.token IS NOT NULL,
      unnest(ARRAY[u.id, coalesce(q.token, 0), coalesce(q.since, 0),
        CASE WHEN n.waiting > 0 AND EXISTS (SELECT FROM lockkeeper.requests w
          WHERE w.rid = n.rid AND w.place > n.head AND w.client <> p_client) THEN 1 ELSE 0 END])
        WITH ORDINALITY AS r(v, p)
    WHERE q.id IS NULL OR q.token IS NOT NULL;
  PERFORM lockkeeper._done(longest, pause, news);
  RETURN ARRAY[lockkeeper._us(), next] || coalesce(answer, '{}');
END $$;

-- break ends all grants of a name, those in check when that is over, and returns how many.
CREATE FUNCTION lockkeeper.break(p_name bytea) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
  pause bigint := lockkeeper._pause();
  at bigint;
  t tid;
  s lockkeeper.names;
  z record;
  n bigint;
  news text[];
  longest bigint := 0;
BEGIN
  SELECT m.ctid AS t, m AS s INTO z FROM lockkeeper.names m WHERE m.name = p_name FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN 0; END IF;
  t := z.t;
  s := z.s;
  at := lockkeeper._us();
  news := lockkeeper._tell(s, 0, 'b');
  UPDATE lockkeeper.requests SET deadline = least(deadline, at), least = 0
    WHERE rid = s.rid AND place BETWEEN 1 AND s.head;
  GET DIAGNOSTICS n = ROW_COUNT;
  s := lockkeeper._expire(s, at);
  IF pause IS NOT NULL THEN
    z := lockkeeper._pump(s, at, news, longest);
    s := z.s;
    news := z.news;
  END IF;
  PERFORM lockkeeper._save(t, s);
  PERFORM lockkeeper._done(86400000000, 0, news); -- flushed
  RETURN n;
END $$;

-- detach takes a grant from its client: it has the token alone, and no client, until one adopts it
-- or p_life is over. It is flushed, and so is adopt: a crash brings no grant and no ticket back.
--
-- Returns 1, also when that is repeated; 0 the grant has ended; 2 another session has it locked, for
-- a renewal or a check (ask again).
CREATE FUNCTION lockkeeper.detach(p_client bigint, p_name bytea, p_id bigint, p_token bigint,
  p_life bigint, p_seal bytea) RETURNS bigint[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
  at bigint;
  t tid;
BEGIN
  PERFORM lockkeeper._pause();
  PERFORM FROM lockkeeper.names WHERE name = p_name FOR NO KEY UPDATE;
  at := lockkeeper._us();
  PERFORM FROM lockkeeper.requests WHERE client = p_client AND id = -p_id AND seal = p_seal
    AND NOT kept AND deadline > at;
  IF FOUND THEN RETURN ARRAY[1]; END IF;
  SELECT ctid INTO t FROM lockkeeper.requests WHERE client = p_client AND id = p_id
    AND token IS NOT NULL AND NOT kept AND deadline > at;
  IF NOT FOUND THEN RETURN ARRAY[0]; END IF;
  SELECT ctid INTO t FROM lockkeeper.requests WHERE client = p_client AND id = p_id
    FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN RETURN ARRAY[2]; END IF;
  UPDATE lockkeeper.requests SET id = -p_id, token = p_token, tokens = 1, deadline = at + p_life,
    quiet = true, tries = false, seal = p_seal WHERE ctid = t;
  UPDATE lockkeeper.names SET due = least(due, at + p_life) WHERE name = p_name;
  PERFORM lockkeeper._forbid(p_client, p_id, at);
  PERFORM lockkeeper._done(86400000000, 0, '{}');
  RETURN ARRAY[1];
END $$;

-- adopt gives a detached grant to a client, under a new number. Repeated, it has the same result.
-- After a crash that may have lost an adoption it waits as a grant does.
--
--   p_from, p_old     the client and the number of the grant before it was detached
--
-- Returns 1, token, whether others wait; 0, 0, 0 no such grant; 5, 0, 0 nothing is granted yet.
CREATE FUNCTION lockkeeper.adopt(p_client bigint, p_name bytea, p_id bigint, p_kind bigint,
  p_cap bigint, p_weight bigint, p_life bigint, p_flags bigint, p_owner bytea, p_from bigint,
  p_old bigint, p_proof bytea) RETURNS bigint[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
  pause bigint := lockkeeper._pause();
  at bigint;
  s lockkeeper.names;
  first bigint;
BEGIN
  SELECT * INTO s FROM lockkeeper.names WHERE name = p_name FOR NO KEY UPDATE;
  at := lockkeeper._us();
  UPDATE lockkeeper.requests SET deadline = greatest(deadline, at + p_life)
    WHERE client = p_client AND id = p_id AND token IS NOT NULL AND NOT kept AND deadline > at
    RETURNING token INTO first;
  IF NOT FOUND THEN
    IF pause IS NULL THEN RETURN ARRAY[5, 0, 0]; END IF;
    IF s.kind <> p_kind OR s.cap <> p_cap OR EXISTS (SELECT FROM lockkeeper.requests
        WHERE client = p_client AND id = p_id) THEN -- given up: this is a late copy
      RETURN ARRAY[0, 0, 0];
    END IF;
    UPDATE lockkeeper.requests SET client = p_client, id = p_id, deadline = at + p_life,
      quiet = p_flags & 1 > 0, tries = p_flags & 2 > 0, owner = p_owner, seal = NULL
      WHERE client = p_from AND id = -p_old AND rid = s.rid AND weight = p_weight
        AND seal = sha256(p_proof) AND NOT kept AND deadline > at
      RETURNING token INTO first;
    IF NOT FOUND THEN RETURN ARRAY[0, 0, 0]; END IF;
  END IF;
  UPDATE lockkeeper.names SET due = least(due, at + p_life), loud = loud OR p_flags & 1 = 0
    WHERE name = p_name;
  PERFORM lockkeeper._done(86400000000, 0, '{}');
  RETURN ARRAY[1, first, lockkeeper._others(s, p_client)::integer];
END $$;

-- list tells who holds and who waits for p_most names after p_after, or for p_only alone. A name
-- without either has one row. It changes nothing.
CREATE FUNCTION lockkeeper.list(p_after bytea, p_only bytea, p_most integer)
RETURNS TABLE (name bytea, kind smallint, cap bigint, last bigint, client bigint, id bigint,
  weight bigint, token bigint, since bigint, rest bigint, kept boolean, detached boolean,
  owner bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
  WITH page AS (
    SELECT n.* FROM lockkeeper.names n
    WHERE CASE WHEN p_only IS NULL THEN n.name > p_after AND (n.used > 0 OR n.waiting > 0)
      ELSE n.name = p_only END
    ORDER BY n.name LIMIT p_most)
  SELECT p.name, p.kind, p.cap, p.token, l.client, l.id, l.weight, l.token, l.since, l.rest, l.over,
    l.detached, l.owner
  FROM page p LEFT JOIN LATERAL lockkeeper._holders(p.rid, 1, 9223372036854775807, lockkeeper._us()) l
    ON l.rest > 0
  ORDER BY p.name, l.place
$$;

-- check fences a transaction of the user's: when it returns, no grant that follows the one with
-- this token is made before the transaction has ended. Its lock keeps a successor waiting, but no
-- renewal, which changes no key.
CREATE FUNCTION lockkeeper.check(p_name bytea, p_token bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE s lockkeeper.names;
BEGIN
  SELECT * INTO s FROM lockkeeper.names WHERE name = p_name;
  PERFORM FROM lockkeeper.requests WHERE rid = s.rid AND place BETWEEN 1 AND s.head
    AND CASE WHEN weight = s.cap THEN p_token BETWEEN token AND s.token ELSE p_token = token END
    AND NOT kept AND seal IS NULL AND deadline > lockkeeper._us() FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'token % is not held', p_token USING ERRCODE = 'LK001';
  END IF;
END $$;

-- sweep forgets names out of use whose last token the clock has passed by p_age, and returns how
-- many others are out of use; -1 if another session sweeps. Tokens go on increasing: the next one
-- is at least the clock's.
CREATE FUNCTION lockkeeper.sweep(p_age bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  t bigint := lockkeeper._us();
  n bigint;
BEGIN
  IF NOT pg_try_advisory_xact_lock('lockkeeper.names'::regclass::oid::integer, 1) THEN RETURN -1; END IF;
  PERFORM set_config('synchronous_commit', 'off', true);
  DELETE FROM lockkeeper.requests WHERE place = 0 AND deadline < t;
  DELETE FROM lockkeeper.clients WHERE till < t - p_age;
  DELETE FROM lockkeeper.names WHERE ctid = ANY (ARRAY(SELECT ctid FROM lockkeeper.names
    WHERE used = 0 AND waiting = 0 AND token < t - p_age FOR UPDATE SKIP LOCKED));
  SELECT count(*) INTO n FROM lockkeeper.names WHERE used = 0 AND waiting = 0;
  RETURN n;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA lockkeeper FROM PUBLIC;
-- +goose StatementEnd
