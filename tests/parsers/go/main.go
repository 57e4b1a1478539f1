// Reads OTLP requests with the Go collector's pdata and says what it understood.
//
// In and out, frame by frame: one byte, a little-endian u32 length, that many bytes. In: signal, request. Out: 0 and the
// request written anew from what was read, or 1 and why it could not be read.
package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"os"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

type request interface {
	UnmarshalProto([]byte) error
	MarshalProto() ([]byte, error)
}

func empty(signal byte) request {
	switch signal {
	case 0:
		return plogotlp.NewExportRequest()
	case 1:
		return pmetricotlp.NewExportRequest()
	case 2:
		return ptraceotlp.NewExportRequest()
	case 3:
		return pprofileotlp.NewExportRequest()
	}
	panic("no such signal")
}

func read(signal byte, data []byte) (byte, []byte) {
	request := empty(signal)
	if err := request.UnmarshalProto(data); err != nil {
		return 1, []byte(err.Error())
	}
	understood, err := request.MarshalProto()
	if err != nil {
		return 1, []byte(err.Error())
	}
	return 0, understood
}

func main() {
	in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	defer out.Flush()
	var header [5]byte
	for {
		if _, err := io.ReadFull(in, header[:]); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		data := make([]byte, binary.LittleEndian.Uint32(header[1:]))
		if _, err := io.ReadFull(in, data); err != nil {
			log.Fatal(err)
		}
		status, data := read(header[0], data)
		header[0] = status
		binary.LittleEndian.PutUint32(header[1:], uint32(len(data)))
		out.Write(header[:])
		out.Write(data)
	}
}
