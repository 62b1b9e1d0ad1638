package badger

const childEnv = "TUNED_TEST_CHILD"

var children = map[string]func() int{}
