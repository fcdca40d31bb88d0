// Go's net/http, with a log line for each response.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

var file = bytes.Repeat([]byte("x"), 5000011)

func response(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	path, status, body := r.URL.Path, 404, []byte("no such thing\n")
	switch {
	case strings.HasSuffix(path, "/moved"):
		w.Header().Set("Location", "/")
		status, body = 301, nil
	case strings.HasSuffix(path, "/none"):
		status, body = 204, nil
	case strings.HasSuffix(path, "/file.bin"):
		status, body = 200, file
	case strings.HasSuffix(path, "/ok") && r.Header.Get("If-None-Match") != "":
		status, body = 304, nil
	case strings.HasSuffix(path, "/ok"), strings.HasSuffix(path, "/upload"):
		status, body = 200, []byte("ok\n")
	}
	w.WriteHeader(status)
	w.Write(body)
	fmt.Printf("%s %s %d\n", r.Method, r.RequestURI, status)
}

func main() {
	fmt.Fprintln(os.Stderr, http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(response)))
}
