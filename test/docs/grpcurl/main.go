// Command grpcurl takes those words of the tool of that name that docs/api.md uses, for machines that lack it: it
// sends a call as JSON over gRPC, and prints the answer.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "github.com/tuned-hpo/tuned/api/tuned/v1" // the messages
)

func main() {
	flag.Bool("plaintext", true, "without TLS")
	flag.String("proto", "", "ignored: the messages are known")
	header := flag.String("H", "", "`NAME: VALUE` of a header")
	data := flag.String("d", "{}", "the request, as `JSON`")
	flag.Parse()
	if err := call(*header, *data, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "ERROR:", err)
		os.Exit(1)
	}
}

func call(header, data string, args []string) error {
	if len(args) != 2 {
		return errors.New("want ADDRESS SERVICE/METHOD")
	}
	service, name, _ := strings.Cut(args[1], "/")
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service + "." + name))
	if err != nil {
		return err
	}
	method, ok := found.(protoreflect.MethodDescriptor)
	if !ok {
		return fmt.Errorf("%s is no method", args[1])
	}
	request, err := protoregistry.GlobalTypes.FindMessageByName(method.Input().FullName())
	if err != nil {
		return err
	}
	response, err := protoregistry.GlobalTypes.FindMessageByName(method.Output().FullName())
	if err != nil {
		return err
	}
	out := response.New().Interface()
	conn, err := grpc.NewClient(args[0], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	key, value, _ := strings.Cut(header, ": ")
	ctx := metadata.AppendToOutgoingContext(context.Background(), key, value)
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, "/"+args[1])
	if err != nil {
		return err
	}
	if err := send(stream, request, data); err != nil {
		return err
	}
	if err := stream.RecvMsg(out); err != nil {
		return err
	}
	fmt.Println(protojson.Format(out))
	return nil
}

// send sends one request, or as many as the method takes, which follow each other.
func send(stream grpc.ClientStream, kind protoreflect.MessageType, data string) error {
	for requests := json.NewDecoder(strings.NewReader(data)); ; {
		var text json.RawMessage
		err := requests.Decode(&text)
		if errors.Is(err, io.EOF) {
			return stream.CloseSend()
		}
		if err != nil {
			return err
		}
		request := kind.New().Interface()
		if err := protojson.Unmarshal(text, request); err != nil {
			return err
		}
		if err := stream.SendMsg(request); err != nil && !errors.Is(err, io.EOF) { // then there is an answer
			return err
		}
	}
}
