"""The devices that hear a card. Only modules in here import camera, scanner or reader libraries."""
