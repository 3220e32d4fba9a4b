package recipes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// ErrStale says that another holder has written since, or a later one has been there.
var ErrStale = errors.New("another holder has written the object")

// Object is what is stored: the token of the last writer is part of the text, and so of its ETag.
type Object struct {
	Token uint64 `json:"token"`
	Text  string `json:"text"`
}

// Change replaces an object by what change makes of it, with the token of the lease. The store
// writes only if the object is still the one that was read.
func Change(
	ctx context.Context, client *http.Client, url string, token uint64, change func(text string) string,
) error {
	var old Object
	head := http.Header{"If-None-Match": {"*"}} // there is no object yet
	get, err := send(ctx, client, http.MethodGet, url, nil, nil)
	if err != nil {
		return err
	}
	defer get.Body.Close()
	switch get.StatusCode {
	case http.StatusOK:
		if err := json.NewDecoder(get.Body).Decode(&old); err != nil {
			return err
		}
		head = http.Header{"If-Match": {get.Header.Get("ETag")}}
	case http.StatusNotFound:
	default:
		return errors.New(get.Status)
	}
	if old.Token > token {
		return ErrStale
	}
	body, err := json.Marshal(Object{Token: token, Text: change(old.Text)})
	if err != nil {
		return err
	}
	put, err := send(ctx, client, http.MethodPut, url, head, body)
	if err != nil {
		return err
	}
	defer put.Body.Close()
	switch put.StatusCode {
	case http.StatusPreconditionFailed, http.StatusConflict:
		return ErrStale
	case http.StatusOK, http.StatusCreated, http.StatusNoContent:
		return nil
	}
	return fmt.Errorf("put: %s", put.Status)
}

func send(
	ctx context.Context, client *http.Client, method, url string, head http.Header, body []byte,
) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for k, v := range head {
		r.Header[k] = v
	}
	return client.Do(r)
}
