package backendtest

var storm []Clause
