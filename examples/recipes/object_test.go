package recipes

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// objects is an object store as S3 is: the ETag is that of the bytes, and a PUT may have conditions.
type objects struct {
	mu   sync.Mutex
	body []byte // nil: there is none
}

func (o *objects) tag() string {
	sum := md5.Sum(o.body)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func (o *objects) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	o.mu.Lock()
	defer o.mu.Unlock()
	match, none := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	switch {
	case r.Method == http.MethodGet && o.body == nil:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodGet:
		w.Header().Set("ETag", o.tag())
		_, _ = w.Write(o.body)
	case none == "*" && o.body != nil, match != "" && (o.body == nil || match != o.tag()):
		w.WriteHeader(http.StatusPreconditionFailed)
	default:
		o.body = body
	}
}

func (o *objects) now(t *testing.T) (v Object) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := json.Unmarshal(o.body, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Each case has a writer that is overtaken between its read and its write.
func TestAWriterThatWasOvertakenIsRefused(t *testing.T) {
	for what, c := range map[string]struct {
		before  *Object // what the overtaken writer reads
		token   uint64  // of the overtaken writer
		meant   Object  // by the later holder, which writes meanwhile
		refused bool
	}{
		"the object is new":                    {nil, 1, Object{2, "theirs"}, true},
		"there was an object":                  {&Object{1, "old"}, 2, Object{3, "theirs"}, true},
		"the later holder keeps the text":      {&Object{1, "old"}, 2, Object{3, "old"}, true},
		"nobody has written, in fact":          {&Object{1, "old"}, 2, Object{1, "old"}, false},
		"the object has a later token at once": {&Object{3, "old"}, 2, Object{3, "old"}, true},
	} {
		t.Run(what, func(t *testing.T) {
			store := &objects{}
			if c.before != nil {
				store.body, _ = json.Marshal(c.before)
			}
			server := httptest.NewServer(store)
			defer server.Close()
			defer server.Client().CloseIdleConnections()
			err := Change(t.Context(), server.Client(), server.URL, c.token, func(string) string {
				store.mu.Lock()
				store.body, _ = json.Marshal(c.meant)
				store.mu.Unlock()
				return "ours"
			})
			if errors.Is(err, ErrStale) != c.refused || err != nil && !c.refused {
				t.Errorf("%v; want it refused: %v", err, c.refused)
			}
			want := c.meant
			if !c.refused {
				want = Object{c.token, "ours"}
			}
			if c.before == nil || c.before.Token <= c.token {
				if got := store.now(t); got != want {
					t.Errorf("the object is %+v; want %+v", got, want)
				}
			}
		})
	}
}

func TestAnObjectIsMadeAndChanged(t *testing.T) {
	store := &objects{}
	server := httptest.NewServer(store)
	defer server.Close()
	defer server.Client().CloseIdleConnections()
	for token, text := range []string{"a", "b"} {
		err := Change(t.Context(), server.Client(), server.URL, uint64(token+1), func(old string) string { return old + text })
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := store.now(t); got != (Object{2, "ab"}) {
		t.Errorf("the object is %+v", got)
	}
}
