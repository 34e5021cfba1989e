#!/bin/bash
exec @CHILD@ --starts @DIR@/starts "$@"
