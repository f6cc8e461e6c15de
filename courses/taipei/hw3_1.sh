#!/bin/bash
python3 "$(dirname "$0")/p1_inference.py" "$@"
