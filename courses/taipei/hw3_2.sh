#!/bin/bash
python3 "$(dirname "$0")/p2_inference.py" "$@"
